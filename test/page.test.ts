import { existsSync } from 'node:fs';

import { launch, type Browser, type Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { Scene } from './world/scene.ts';
import { startWatcher, type ServedProcess } from './world/served.ts';

/** The watcher's page in a real Chromium. */
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const hasChromium = existsSync(CHROMIUM);
if (!hasChromium) console.log('page: skipped, there is no Chromium (chromium, or CHROMIUM=path)');

const TELEPHONE = { width: 360, height: 740 };
const SCRIPT_TITLE = '<script>document.title="taken"</script><img src=x onerror=alert(1)>';

describe.skipIf(!hasChromium)('the page', () => {
  let browser: Browser;
  let scene: Scene;
  let watcher: ServedProcess;
  let page: Page;
  /** What the browser complained about, and what the page loaded. */
  let complaints: string[];
  let loaded: { url: string; bytes: number }[];
  beforeAll(async () => {
    browser = await launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    scene = await Scene.open();
    scene.board.capacity = Number.POSITIVE_INFINITY;
    watcher = await startWatcher(scene);
    page = await browser.newPage();
    complaints = [];
    loaded = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      complaints.push(dialog.message());
      void dialog.dismiss();
    });
    page.on('response', (response) => {
      const bytes = Number(response.headers()['content-length'] ?? 0);
      loaded.push({ url: response.url(), bytes });
    });
  });
  afterEach(async () => {
    await page.close();
    await watcher.stop();
    await scene.close();
  });

  const rows = async () =>
    await page.$$eval('#beads tr', (all) => all.map((row) => row.textContent));
  const row = (id: string) => page.waitForSelector(`::-p-xpath(//tr[.//button[text()="${id}"]])`);

  it('shows what runs and what waits, follows by itself, and keeps a title text', async () => {
    const { tracker } = scene;
    await tracker.create('code-run', { assignee: 'agent' });
    await scene.dispatch();
    await tracker.create('code-odd', {
      assignee: 'agent',
      title: SCRIPT_TITLE,
      acceptance_criteria: '',
    });
    await page.goto(watcher.url);
    await row('code-odd');
    const shown = await rows();
    expect(shown[0]).toMatch(/^code-runBead code-runin-progress/);
    expect(shown[1]).toContain(SCRIPT_TITLE);
    expect(shown[1]).toContain('it has no acceptance criteria');
    expect(await page.title()).toBe('beads auto-dispatch');

    await tracker.create('code-new', { assignee: 'agent', acceptance_criteria: '' });
    await row('code-new');
    await tracker.closeBead('code-run', 'done');
    await page.waitForSelector('::-p-xpath(//ul[@id="finished"]/li/button[text()="code-run"])');
    expect((await rows()).join(' ')).not.toContain('code-run');
    expect(complaints).toEqual([]);
    expect(new Set(loaded.map(({ url }) => new URL(url).host))).toEqual(
      new Set([new URL(watcher.url).host]),
    );
    const bytes = loaded.reduce((sum, each) => sum + each.bytes, 0);
    expect(bytes).toBeLessThan(100_000);
    console.log(`page: ${loaded.length} answers with ${bytes} bytes and what they stream`);
  });

  it('tells the story of a bead as text and as a picture, by keyboard alone', async () => {
    const { tracker } = scene;
    await tracker.create('code-a', { assignee: 'agent' });
    await scene.dispatch();
    await tracker.ageHistory('code-a', 10);
    await tracker.update('code-a', { status: 'open' });
    await page.goto(watcher.url);
    await row('code-a');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#line circle');
    expect(await page.$eval('#detail h2', (title) => title.textContent)).toBe(
      'code-a – Bead code-a',
    );
    expect(await page.$$eval('#story li', (lines) => lines.length)).toBe(4);
    expect(await page.$$eval('#line circle', (dots) => dots.length)).toBe(4);
    expect(complaints).toEqual([]);
  });

  it('fits a telephone, has light and dark colours, and headings and names for a screen reader', async () => {
    await scene.tracker.create('code-a', {
      assignee: 'agent',
      title: 'A title '.repeat(12),
      acceptance_criteria: '',
    });
    await page.goto(watcher.url);
    await row('code-a');
    const tree = JSON.stringify(await page.accessibility.snapshot({ interestingOnly: false }));
    for (const part of [
      /"role":"heading"[^{}]*"name":"beads auto-dispatch"/,
      /"role":"button"[^{}]*"name":"code-a"/,
      /"role":"table"[^{}]*"name":"Beads of the agent that are not closed"/,
      /"role":"columnheader"[^{}]*"name":"Why"/,
    ]) {
      expect(tree).toMatch(part);
    }
    await page.setViewport(TELEPHONE);
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(TELEPHONE.width);
    const background = async (scheme: string) => {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      return await page.evaluate('getComputedStyle(document.body).backgroundColor');
    };
    expect([await background('light'), await background('dark')]).toEqual([
      'rgb(255, 255, 255)',
      'rgb(13, 17, 23)',
    ]);
  });

  it('shows a thousand beads, and still opens one', async () => {
    const values = Array.from(
      { length: 1_000 },
      (_, n) => `('code-${n}', 'Bead ${n}', '', '', '', '', 'agent')`,
    );
    await scene.tracker.sql(
      `INSERT INTO issues (id, title, description, design, acceptance_criteria, notes, assignee) VALUES ${values.join(', ')}`,
    );
    await scene.tracker.sql(
      "CALL DOLT_COMMIT('-A', '-m', 'many', '--author', 'test <test@local>')",
    );
    await page.goto(watcher.url);
    await row('code-999');
    expect((await rows()).length).toBe(1_000);
    await page.$$eval('button', (buttons) => buttons[500]?.click());
    await page.waitForSelector('::-p-xpath(//h2[text()="code-549 – Bead 549"])');
    expect(complaints).toEqual([]);
  });
});
