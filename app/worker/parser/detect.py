def detect(source):
    return "pdf" if source.head(5) == b"%PDF-" else "text"
