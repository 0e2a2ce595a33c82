"""What must never be lost, and who must never get in: kills, full disks, bad servers, hostile files, long hours."""
