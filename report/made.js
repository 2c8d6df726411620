document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 13:19 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "f389393d149a"} }));
