document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 08:45 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "3f0875eec1c1"} }));
