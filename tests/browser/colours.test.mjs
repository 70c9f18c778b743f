// The colour tokens of the style sheet, held against the contrast they promise:
// text at least 4.5 to 1 wherever it may stand, controls and bars 3 to 1
// (WCAG 2.2, 1.4.3 and 1.4.11).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const css = readFileSync(new URL('../../templates/static/gnomon.css', import.meta.url), 'utf8');
const tokens = Object.fromEntries([...css.matchAll(/--([a-z0-9-]+):light-dark\((#\w+),(#\w+)\)/g)].map(([, name, ...pair]) => [name, pair]));

// Relative luminance and contrast ratio as WCAG 2.2 defines them.
const luminance = hex => {
  const long = hex.length === 4 ? hex.replace(/[^#]/g, '$&$&') : hex;
  const [r, g, b] = [1, 3, 5].map(at => parseInt(long.slice(at, at + 2), 16) / 255)
    .map(c => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};

['light', 'dark'].forEach((theme, i) => {
  const lowest = (name, grounds) => Math.min(...grounds.map(g => contrast(tokens[name][i], tokens[g][i])));
  const holds = (name, grounds, least) =>
    assert.ok(lowest(name, grounds) >= least, `${name} has ${lowest(name, grounds).toFixed(2)} to 1, less than ${least}`);
  const page = ['bg', 's1', 's2'];

  test(`text can be read, ${theme}`, () => {
    for (const name of ['t1', 't2', 't3', 'link']) holds(name, page, 4.5);
    for (const name of ['crit', 'high', 'med', 'low', 'ok', 'info']) holds(name, [...page, `${name}-bg`], 4.5);
    assert.ok(contrast('#ffffff', tokens.solid[i]) >= 4.5);
  });
  test(`controls, lines and bars can be seen, ${theme}`, () => {
    for (const name of ['ctl', 'd1', 'd2', 'd3', 'd4', 'good', 'amb', 'bad']) holds(name, page, 3);
  });
  test(`one of the two colours of the focus ring stands out, ${theme}`, () => {
    for (const ground of page)
      assert.ok(Math.max(contrast('#ffdd00', tokens[ground][i]), contrast('#0b0c0c', tokens[ground][i])) >= 11, ground);
  });
});
