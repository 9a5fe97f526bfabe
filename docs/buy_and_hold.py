"""A strategy of one's own: buys on the first day, holds, and says what came of it.

It reads {"execution_id", "strategy", "version", "parameters"} from its standard input,
and prices from the folder that PRICES_DIR names, as SYMBOL.csv with Date and Close.
"""
import csv
import json
import os
import sys


def progress(percent):
    print(json.dumps({"progress": percent}), flush=True)


order = json.load(sys.stdin)
parameters = order["parameters"]
symbol, capital = parameters["symbol"], parameters["initial_capital"]
print("reading the prices of", symbol, file=sys.stderr)  # for people: it is kept

progress(10)
with open(os.path.join(os.environ["PRICES_DIR"], symbol + ".csv"), newline="") as f:
    prices = [(row["Date"], float(row["Close"])) for row in csv.DictReader(f) if row["Close"]]
if len(prices) < 2:
    sys.exit("there are too few prices of %s" % symbol)  # the exit code 1: the execution fails

progress(60)
first = prices[0][1]
curve = [{"date": day, "value": capital * close / first} for day, close in prices]
final = curve[-1]["value"]
print(json.dumps({
    "strategy": order["strategy"],
    "portfolio": {"weights": {symbol: 1}},
    "final_value": final,
    "return": final / capital - 1,
    "equity_curve": curve,  # GET /executions/{id}/chart draws it
}))
