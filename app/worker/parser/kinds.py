"""What the first bytes and the names of files say about their kind; tables only.

Source: the formats' public specifications, and the list kept by the `file` program's documentation.
"""

from typing import NamedTuple


class Magic(NamedTuple):
    """Bytes that only one kind of file has.

    Attributes:
        code: the refusal that this kind leads to (`reasons`).
        kind: its name, for the words.
        target: what to save it as, where the words ask for that.
    """

    offset: int
    start: bytes
    code: str
    kind: str
    target: str = ""


MAGIC: tuple[Magic, ...] = (
    Magic(0, b"\x89PNG\r\n\x1a\n", "unsupported.image", "PNG"),
    Magic(0, b"\xff\xd8\xff", "unsupported.image", "JPEG"),
    Magic(0, b"GIF87a", "unsupported.image", "GIF"),
    Magic(0, b"GIF89a", "unsupported.image", "GIF"),
    Magic(0, b"II*\0", "unsupported.image", "TIFF"),
    Magic(0, b"MM\0*", "unsupported.image", "TIFF"),
    Magic(0, b"II+\0", "unsupported.image", "BigTIFF"),
    Magic(8, b"WEBP", "unsupported.image", "WebP"),
    Magic(0, b"8BPS", "unsupported.image", "Photoshop"),
    Magic(0, b"\0\0\0\x0cjP  ", "unsupported.image", "JPEG 2000"),
    Magic(0, b"\xff\x4f\xff\x51", "unsupported.image", "JPEG 2000"),
    Magic(0, b"\0\0\0\x0cJXL ", "unsupported.image", "JPEG XL"),
    Magic(0, b"AT&TFORM", "unsupported.image", "DjVu"),
    Magic(0, b"gimp xcf", "unsupported.image", "GIMP"),
    Magic(0, b"\xd7\xcd\xc6\x9a", "unsupported.image", "Windows metafile"),
    Magic(40, b" EMF", "unsupported.image", "Windows metafile"),
    Magic(0, b"\0\0\1\0", "unsupported.image", "icon"),
    Magic(0, b"\x76\x2f\x31\x01", "unsupported.image", "OpenEXR"),
    Magic(0, b"ID3", "unsupported.audio", "MP3"),
    Magic(0, b"\xff\xfb", "unsupported.audio", "MP3"),
    Magic(0, b"\xff\xfa", "unsupported.audio", "MP3"),
    Magic(0, b"\xff\xf3", "unsupported.audio", "MP3"),
    Magic(0, b"\xff\xf2", "unsupported.audio", "MP3"),
    Magic(0, b"\xff\xe3", "unsupported.audio", "MP3"),
    Magic(0, b"\xff\xfd", "unsupported.audio", "MP2"),
    Magic(0, b"\xff\xfc", "unsupported.audio", "MP2"),
    Magic(0, b"\xff\xf1", "unsupported.audio", "AAC"),
    Magic(0, b"\xff\xf9", "unsupported.audio", "AAC"),
    Magic(0, b"fLaC", "unsupported.audio", "FLAC"),
    Magic(0, b"OggS", "unsupported.audio", "Ogg"),
    Magic(8, b"WAVE", "unsupported.audio", "WAV"),
    Magic(0, b"riff\x2e\x91\xcf\x11", "unsupported.audio", "Wave64"),
    Magic(8, b"AIFF", "unsupported.audio", "AIFF"),
    Magic(8, b"AIFC", "unsupported.audio", "AIFF"),
    Magic(0, b"caff\0\1", "unsupported.audio", "Core Audio"),
    Magic(0, b".snd\0\0", "unsupported.audio", "AU"),
    Magic(0, b"wvpk", "unsupported.audio", "WavPack"),
    Magic(0, b"MAC \x96\x0f", "unsupported.audio", "Monkey's Audio"),
    Magic(0, b"TTA1", "unsupported.audio", "True Audio"),
    Magic(0, b"\x0b\x77", "unsupported.audio", "AC-3"),
    Magic(0, b"\x7f\xfe\x80\x01", "unsupported.audio", "DTS"),
    Magic(0, b".RMF\0\0", "unsupported.video", "RealMedia"),
    Magic(0, b".ra\xfd", "unsupported.audio", "RealAudio"),
    Magic(0, b"MThd", "unsupported.music", "MIDI"),
    Magic(0, b"#!AMR", "unsupported.audio", "AMR"),
    Magic(4, b"ftypM4A", "unsupported.audio", "M4A"),
    Magic(4, b"ftypheic", "unsupported.image", "HEIC"),
    Magic(4, b"ftypmif1", "unsupported.image", "HEIF"),
    Magic(4, b"ftypavif", "unsupported.image", "AVIF"),
    Magic(4, b"ftyp", "unsupported.video", "MP4"),
    Magic(4, b"moov", "unsupported.video", "QuickTime"),
    Magic(8, b"AVI ", "unsupported.video", "AVI"),
    Magic(0, b"\x1a\x45\xdf\xa3", "unsupported.video", "Matroska"),
    Magic(0, b"FLV\x01", "unsupported.video", "Flash"),
    Magic(0, b"\0\0\1\xba", "unsupported.video", "MPEG"),
    Magic(0, b"\0\0\1\xb3", "unsupported.video", "MPEG"),
    Magic(0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "unsupported.video", "Windows Media"),
    Magic(0, b"\x1f\x8b", "unsupported.archive", "gzip"),
    Magic(0, b"\x1f\x9d", "unsupported.archive", "compress"),
    Magic(0, b"BZh", "unsupported.archive", "bzip2"),
    Magic(0, b"\xfd7zXZ\0", "unsupported.archive", "xz"),
    Magic(0, b"7z\xbc\xaf\x27\x1c", "unsupported.archive", "7-Zip"),
    Magic(0, b"Rar!\x1a\x07", "unsupported.archive", "RAR"),
    Magic(0, b"\x28\xb5\x2f\xfd", "unsupported.archive", "Zstandard"),
    Magic(0, b"\x04\x22\x4d\x18", "unsupported.archive", "LZ4"),
    Magic(257, b"ustar", "unsupported.archive", "tar"),
    Magic(0, b"MSCF", "unsupported.archive", "cabinet"),
    Magic(0, b"!<arch>\n", "unsupported.archive", "ar or Debian package"),
    Magic(0, b"\xed\xab\xee\xdb", "unsupported.archive", "RPM package"),
    Magic(32769, b"CD001", "unsupported.archive", "disc image"),
    Magic(2, b"-lh", "unsupported.archive", "LHA"),
    Magic(60, b"BOOKMOBI", "unsupported.ebook", "Kindle"),
    Magic(0, b"ITOLITLS", "unsupported.ebook", "Microsoft Reader"),
    Magic(0, b"ITSF", "unsupported.ebook", "Windows help"),
    Magic(0, b"!BDN", "unsupported.mail", "an Outlook mailbox"),
    Magic(0, b"\x78\x9f\x3e\x22", "unsupported.mail", "winmail.dat"),
    Magic(0, b"%!PS", "unsupported.office", "a PostScript file", "pdf"),
    Magic(0, b"\xc5\xd0\xd3\xc6", "unsupported.office", "a PostScript file", "pdf"),
    Magic(0, b"\xffWPC", "unsupported.office", "a WordPerfect document", "docx"),
    Magic(0, b"\xe4\x52\x5c\x7b", "unsupported.office", "a OneNote section", "docx"),
    Magic(0, b"\x31\xbe\0\0", "unsupported.legacy", "Word document", "docx"),
    Magic(0, b"\xdb\xa5", "unsupported.legacy", "Word document", "docx"),
    Magic(0, b"\x09\x08\x08\0\0\x05", "unsupported.legacy", "Excel workbook", "xlsx"),
    Magic(0, b"\x09\x04\x06\0", "unsupported.legacy", "Excel workbook", "xlsx"),
    Magic(0, b"\x09\x02\x06\0", "unsupported.legacy", "Excel workbook", "xlsx"),
    Magic(0, b"\x7fELF", "unsupported.program", "a Linux program"),
    Magic(0, b"MZ", "unsupported.program", "a Windows program"),
    Magic(0, b"\xcf\xfa\xed\xfe", "unsupported.program", "a macOS program"),
    Magic(0, b"\xce\xfa\xed\xfe", "unsupported.program", "a macOS program"),
    Magic(0, b"\xca\xfe\xba\xbe", "unsupported.program", "a Java class or macOS program"),
    Magic(0, b"\0asm", "unsupported.program", "WebAssembly"),
    Magic(0, b"dex\n", "unsupported.program", "an Android program"),
    Magic(0, b"\x4c\0\0\0\x01\x14\x02\0", "unsupported.program", "a Windows shortcut"),
    Magic(0, b"SQLite format 3\0", "unsupported.data", "SQLite database"),
    Magic(4, b"Standard Jet DB", "unsupported.data", "Access database"),
    Magic(4, b"Standard ACE DB", "unsupported.data", "Access database"),
    Magic(0, b"GGUF", "unsupported.data", "GGUF model"),
    Magic(0, b"\x89HDF\r\n", "unsupported.data", "HDF5"),
    Magic(0, b"PAR1", "unsupported.data", "Parquet"),
    Magic(0, b"ORC", "unsupported.data", "ORC"),
    Magic(0, b"Obj\x01", "unsupported.data", "Avro"),
    Magic(0, b"ARROW1", "unsupported.data", "Arrow"),
    Magic(0, b"\x93NUMPY", "unsupported.data", "NumPy array"),
    Magic(0, b"OTTO", "unsupported.data", "font"),
    Magic(0, b"wOFF", "unsupported.data", "font"),
    Magic(0, b"wOF2", "unsupported.data", "font"),
    Magic(0, b"\0\1\0\0\0", "unsupported.data", "font"),
    Magic(0, b"bplist00", "unsupported.data", "property list"),
)
"""Longest matches first where one is the beginning of another."""

ODF: dict[str, tuple[str, str]] = {
    "application/vnd.oasis.opendocument.text": ("an OpenDocument text (.odt)", "docx"),
    "application/vnd.oasis.opendocument.spreadsheet": ("an OpenDocument spreadsheet (.ods)", "xlsx"),
    "application/vnd.oasis.opendocument.presentation": ("an OpenDocument presentation (.odp)", "pptx"),
    "application/vnd.oasis.opendocument.graphics": ("an OpenDocument drawing (.odg)", "pdf"),
}
"""Beginnings of the `mimetype` member of OpenDocument packages: name, and what to save it as."""

OLE: tuple[tuple[str, str, str, str], ...] = (
    ("EncryptedPackage", "office.password", "office document", ""),
    ("WordDocument", "unsupported.legacy", "Word document", "docx"),
    ("Workbook", "unsupported.legacy", "Excel workbook", "xlsx"),
    ("Book", "unsupported.legacy", "Excel workbook", "xlsx"),
    ("PowerPoint Document", "unsupported.legacy", "PowerPoint presentation", "pptx"),
    ("__properties_version1.0", "unsupported.mail", "an Outlook message", ""),
    ("VisioDocument", "unsupported.office", "a Visio drawing", "pdf"),
    ("Quill", "unsupported.office", "a Publisher document", "pdf"),
    ("MatOST", "unsupported.legacy", "Works document", "docx"),
    ("SummaryCatalog", "unsupported.data", "installer or thumbnail database", ""),
)
"""Streams at the top of OLE files: name, refusal, kind, what to save it as."""

MARKDOWN = frozenset({"md", "markdown", "mdown", "mkd", "mkdn", "mdx", "rmd", "qmd"})
HTML = frozenset({"html", "htm", "xhtml", "xht", "shtml"})
DELIMITED = frozenset({"csv", "tsv", "tab"})
MAIL = {
    "eml": "a message",
    "mbox": "a mailbox",
    "mht": "a saved page",
    "mhtml": "a saved page",
    "": "a message",
}
PLAIN = frozenset({"", "txt", "text", "log", "nfo", "me", "lst", "out", "asc", "srt", "vtt", "sub"})

_CODE = """
    ada adb ads ahk applescript as asm asp aspx astro awk bas bash bat bib c cbl cc cfg cl clj cljs
    cmake cmd cob coffee conf config cpp cs cshtml css cu cxx d dart dockerfile editorconfig elm el env
    erb erl ex exs f f03 f08 f77 f90 f95 fish for fs fsi fsx gd gemspec gitignore glsl gql gradle
    graphql groovy h haml hbs hcl hh hlsl hpp hrl hs hxx idl ini ino ipynb java jinja jl js json json5
    jsonc jsonl jsp jsx kt kts latex less lisp lua m mak make makefile mjs ml mli mm ndjson nim nix opml
    org pas patch php pl plist pm po pod pp properties proto ps1 psd1 psm1 pug py pyi pyw pyx qml r rake
    raku rb rego reg rst rs s sass sc scala scm scss sh sln sol sql srcinfo sty styl sv svelte svh swift
    t tcl tex tf thrift toml ts tsx twig v vala vb vbs vert vhd vhdl vim vue wat wsdl xaml xml xsd xsl
    xslt yaml yml zig zsh
"""
CODE = frozenset(_CODE.split())
"""Extensions of source code and structured text, which is kept as it is written."""
