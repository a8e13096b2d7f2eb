"""`make docs`: write the pages that are made from the code."""

from tests.docs.made import pages

for path, text in pages().items():
    path.write_text(text, encoding="utf-8")
