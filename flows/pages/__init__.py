"""What people read: the terminal's summaries, and the pages of docs that are printed."""
