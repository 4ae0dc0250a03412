def run(d): raise SystemExit("later")
