"""A participant who withdraws: what came of their recordings is found, removed and looked for."""
