from sympy import cos, exp, expand, factor, integrate, sin, symbols

x, y, z = symbols("x y z")
powers = [expand((x + y + z) ** n) for n in range(2, 22)]
factors = [factor(p) for p in powers[:6]]
areas = [integrate(x**n * exp(x) * sin(x), x) for n in range(1, 4)]
series = [(sin(x + n) * cos(x)).series(x, 0, 8) for n in range(6)]
print(len(powers) + len(factors) + len(areas) + len(series))
