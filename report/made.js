document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-29 23:28 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "dcbb7c6922a8"} }));
