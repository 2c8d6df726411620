document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-12-01 14:28 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "264f676feb6e"} }));
