document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 02:29 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "98e9f0ee7a84"} }));
