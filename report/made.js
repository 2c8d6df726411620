document.dispatchEvent(new CustomEvent('made', { detail: {"date": "2026-11-30 14:55 UTC", "by": "Seed 54f5cd76 maintainers", "commit": "062c78e15544"} }));
