// What ccxt, a client of others' making, does at a simulated exchange:
//
//   node client.mjs binance http://127.0.0.1:1234 key secret [passphrase]
//
// It places one order of each type on spot and on futures, looks at what is open, at
// balances and positions, and takes everything back. It prints one JSON document: what
// it understood, by step. Any error ends it with exit status 1. The simulator knows
// what it has sent.
import ccxt from 'ccxt';

const [name, base, key, secret, password] = process.argv.slice(2);
const out = {};

// What each exchange wants said differently. ask: an order is only acknowledged, so it
// is asked for; all: everything can be cancelled at once.
const ways = {
  binance: {
    type: { spot: 'spot', futures: 'swap' }, load: { spot: ['spot'], futures: ['linear'] }, amount: { spot: 0.01, futures: 0.01 },
    id: (id) => ({ newClientOrderId: id }), above: (p) => ({ takeProfitPrice: p }), below: (p) => ({ stopLossPrice: p }), all: true,
  },
  bybit: {
    type: { spot: 'spot', futures: 'swap' }, load: { spot: ['spot'], futures: ['linear'] }, amount: { spot: 0.01, futures: 0.01 }, ask: { acknowledged: true },
    id: (id) => ({ clientOrderId: id }), above: (p, kind) => stop(p, kind, 'ascending'), below: (p, kind) => stop(p, kind, 'descending'), all: true,
  },
  okx: { // swaps in contracts; ccxt would send tgtCcy with stops, which OKX refuses
    type: { spot: 'spot', futures: 'swap' }, load: { spot: ['spot'], futures: ['swap'] }, amount: { spot: 0.01, futures: 1 }, ask: {},
    id: (id) => ({ clientOrderId: id }), above: (p) => ({ triggerPrice: p, tgtCcy: undefined }), below: (p) => ({ triggerPrice: p, tgtCcy: undefined }), apart: true,
  },
};
const stop = (triggerPrice, kind, triggerDirection) => (kind === 'futures' ? { triggerPrice, triggerDirection } : { triggerPrice });

function at(options) {
  const x = new ccxt[name]({ apiKey: key, secret, password, enableRateLimit: false, ...options });
  const local = (s) => s.replace('{hostname}', 'example.com');
  const move = (urls) => {
    for (const [k, v] of Object.entries(urls)) {
      if (typeof v === 'string') {
        if (v.startsWith('http')) urls[k] = base + new URL(local(v)).pathname.replace(/\/$/, '');
      } else if (v && typeof v === 'object') move(v);
    }
  };
  move(x.urls.api);
  return x;
}

const short = (o) => ({ id: o.id, clientOrderId: o.clientOrderId, status: o.status, type: o.type, side: o.side, amount: o.amount, price: o.price ?? null, filled: o.filled ?? null, trigger: o.triggerPrice ?? null });

async function market(kind, symbol) {
  const way = ways[name];
  const x = at({ options: { defaultType: way.type[kind], fetchMarkets: { types: way.load[kind] }, fetchCurrencies: false, fetchMargins: false, warnOnFetchOpenOrdersWithoutSymbol: false, enableUnifiedAccount: true, enableUnifiedMargin: false, unifiedMarginStatus: 6 } });
  x.has.fetchCurrencies = false;
  x.options.leverageBrackets = { [symbol]: [['0', '0.01']] }; // or it would ask for them
  await x.loadMarkets();
  const steps = {};
  const apart = name === 'binance' ? kind === 'futures' : way.apart; // stops are
  const place = async (step, type, side, price, id, params = {}) => {
    let o = await x.createOrder(symbol, type, side, way.amount[kind], price, { ...way.id(id), ...params });
    if (way.ask) o = await x.fetchOrder(o.id, symbol, Object.keys(params).length && way.apart ? { trigger: true } : way.ask);
    steps[step] = short(o);
  };
  await place('market', 'market', 'buy', undefined, 'cm');
  await place('limit', 'limit', 'buy', 80000, 'cl');
  await place('stop limit', 'limit', 'sell', 105000, 'csl', way.above(104000, kind));
  await place('stop market', 'market', 'sell', undefined, 'csm', way.below(94000, kind));
  steps.open = (await x.fetchOpenOrders(symbol)).map(short);
  if (apart) steps.stops = (await x.fetchOpenOrders(symbol, undefined, undefined, { trigger: true })).map(short);
  if (kind === 'futures') {
    steps.positions = (await x.fetchPositions([symbol])).map((p) => ({ side: p.side, contracts: p.contracts, entryPrice: p.entryPrice }));
  }
  steps.balance = (await x.fetchBalance()).USDT;
  steps.order = short(await x.fetchOrder(steps.limit.id, symbol, way.ask));
  if (way.all) {
    steps.cancelled = (await x.cancelAllOrders(symbol)).length;
    if (apart) await x.cancelAllOrders(symbol, { trigger: true });
    else if (name === 'bybit' && kind === 'spot') await x.cancelAllOrders(symbol, { orderFilter: 'StopOrder' });
  } else {
    steps.cancelled = (await x.cancelOrders(steps.open.map((o) => o.id), symbol)).length;
    await x.cancelOrders(steps.stops.map((o) => o.id), symbol, { trigger: true });
  }
  steps.left = (await x.fetchOpenOrders(symbol)).length;
  if (apart) steps.left += (await x.fetchOpenOrders(symbol, undefined, undefined, { trigger: true })).length;
  out[kind] = steps;
}

try {
  await market('spot', 'BTC/USDT');
  await market('futures', 'BTC/USDT:USDT');
  console.log(JSON.stringify(out, null, 1));
} catch (e) {
  console.error(e);
  console.log(JSON.stringify(out, null, 1));
  process.exit(1);
}
