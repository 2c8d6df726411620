document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 04:29 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "01b0db3e7fb8"} }));
