// Preloaded into the emulator: it ends when its standard input closes, so that no test leaves it behind.
process.stdin.on("end", () => process.exit(0)).resume();
