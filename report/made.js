document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-29 23:10 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "c3c9bb372832"} }));
