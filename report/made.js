document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 18:22 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "606c7d23727b"} }));
