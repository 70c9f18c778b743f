// Comments, objectives and search as people use them, with script switched off.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const base = process.env.GNOMON_URL;
const password = process.env.GNOMON_DEMO_PASSWORD ?? process.env.GNOMON_PASSWORD;
const skip = !base || !password ? 'GNOMON_URL and GNOMON_DEMO_PASSWORD name no stack' : false;
let browser, page;

before(async () => {
  if (skip) return;
  browser = await chromium.launch({
    executablePath: process.env.GNOMON_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  page = await (await browser.newContext({ baseURL: base, javaScriptEnabled: false })).newPage();
  await page.goto('/login');
  await page.getByLabel('E-mail address').fill('mira@acme.example');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
});
after(() => browser?.close());

const open = async (inside, summary) => inside.locator('summary', { hasText: summary }).first().click();

test('a comment is written, changed and deleted; whoever writes watches', { skip }, async () => {
  await page.goto('/w/acme/search?q=AC-1');
  const story = new URL(page.url()).pathname;
  assert.match(story, /\/stories\/AC-1$/, 'a key leads straight there');
  for (const path of [story, '/w/acme/p/AC/sprints/42', '/w/acme/objectives/O-2']) {
    await page.goto(path);
    const card = page.locator('section[aria-labelledby=comments]');
    await card.getByLabel('New comment').fill('Looks **good** to @jon & <b>all</b>');
    await card.getByRole('button', { name: 'Add comment' }).click();
    assert.match(await page.getByRole('status').innerText(), /The comment is added/);
    const first = card.locator('li').first();
    assert.match(await first.innerText(), /Mira Okafor.*Tells Jon Vale[^]*Looks good to @jon & <b>all<\/b>/);
    await open(first, 'Edit or delete');
    await first.getByLabel('Your comment').fill('Second thoughts');
    await first.getByRole('button', { name: 'Save comment' }).click();
    assert.match(await card.locator('li').first().innerText(), /edited[^]*Second thoughts/);
    await card.getByRole('button', { name: 'Stop watching' }).click();
    assert.match(await page.getByRole('status').innerText(), /stopped watching/);
    await card.getByRole('button', { name: /^Watch / }).click();
    await open(card.locator('li').first(), 'Edit or delete');
    await card.locator('li').first().getByRole('button', { name: 'Delete comment' }).click();
    assert.match(await page.getByRole('status').innerText(), /deleted/);
    assert.doesNotMatch(await card.innerText(), /Second thoughts/);
    await card.getByRole('button', { name: 'Add comment' }).click();
    assert.match(await page.getByRole('alert').innerText(), /There is a problem/);
    assert.match(await page.title(), /^Error: /);
  }
});

test('an objective is added, measured, reported on and closed', { skip }, async () => {
  await page.goto('/w/acme/objectives');
  assert.match(await page.locator('.lead').innerText(), /objectives are under way/);
  await open(page.locator('main'), 'Add objective');
  await page.locator('form', { hasText: 'Why it matters' }).getByLabel('Title').fill('Branches need no paper');
  await page.getByRole('button', { name: 'Add objective' }).click();
  assert.match(page.url(), /\/objectives\/O-\d+$/);
  assert.match(await page.locator('.lead').innerText(), /Nothing measures it yet/);
  await open(page.locator('main'), 'Add key result');
  const form = page.locator('form', { hasText: 'What is measured' });
  await form.getByLabel('What is measured').fill('Sheets a week');
  await form.getByLabel('From').fill('400');
  await form.getByLabel('To').fill('0');
  await form.getByRole('button', { name: 'Add key result' }).click();
  const result = page.locator('section[aria-labelledby=results] li').first();
  await open(result, 'Check in');
  await result.getByLabel('Value').fill('100');
  await result.getByLabel('How sure, in percent').fill('80');
  await result.getByLabel('Note').fill('Half of them are labels');
  await result.getByRole('button', { name: /^Check in/ }).click();
  assert.match(await page.getByRole('status').innerText(), /You have checked in/);
  assert.match(await page.locator('.lead').innerText(), /^75% of the way/);
  assert.match(await page.locator('section[aria-labelledby=checks]').innerText(), /Half of them are labels[^]*100[^]*80%/);
  assert.equal(await result.locator('svg.ch').count(), 1);
  await page.getByLabel('Status').selectOption('done');
  await page.getByRole('button', { name: 'Save objective' }).click();
  assert.match(await page.locator('section[aria-labelledby=about] .chip').innerText(), /Done/);
  await page.getByRole('button', { name: 'Delete objective' }).click();
  assert.match(await page.getByRole('status').innerText(), /deleted/);
  assert.doesNotMatch(await page.locator('main').innerText(), /Branches need no paper/);
});

test('what is typed into the head of any page is searched everywhere', { skip }, async () => {
  await page.goto('/w/acme');
  await page.getByRole('search', { name: 'Everything' }).getByRole('textbox').fill('card pay');
  await page.getByRole('search', { name: 'Everything' }).getByRole('button').click();
  assert.match(await page.locator('.lead').innerText(), /things match “card pay”/);
  assert.ok(await page.locator('.feed mark').count() > 3);
  await page.locator('.feed a').first().click();
  assert.equal(await page.locator('h1').count(), 1);
  assert.doesNotMatch(await page.title(), /not found/);
});
