print("factord")
