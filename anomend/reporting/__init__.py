"""The report of a run, as Markdown for a pull request and as one self-contained HTML page.

`render.render_report` is the entry; what it needs is listed in `inputs.ReportInputs`.
"""
