import Glibc

func logarithm(_ x: Double) -> Double { log(x) }
func power(_ x: Double, _ y: Double) -> Double { pow(x, y) }
func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
func arcSine(_ x: Double) -> Double { asin(min(1, max(-1, x))) }
