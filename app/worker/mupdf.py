"""The one way to import PyMuPDF: silent, and without its layout models.

From version 2.0 on, `import pymupdf` also loads `pymupdf.layout` and `pymupdf4llm`, and with them ONNX
Runtime and a model: 180 MB and two seconds that nothing here uses, in processes whose memory is counted.
Whatever imports PyMuPDF in these processes takes it from here.
"""

import sys
import warnings

for _name in ("pymupdf.layout", "pymupdf4llm"):
    sys.modules.setdefault(_name, None)  # type: ignore[arg-type]  # None is how an import is blocked

with warnings.catch_warnings():
    # WORKAROUND(SWIG): its types have no __module__, of which Python 3.12 warns; remove when they have.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pymupdf

# What MuPDF would print names files and quotes their content.
pymupdf.TOOLS.mupdf_display_errors(False)
pymupdf.TOOLS.mupdf_display_warnings(False)

__all__ = ["pymupdf"]
