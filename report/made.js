document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 17:05 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "88f9c3963dba"} }));
