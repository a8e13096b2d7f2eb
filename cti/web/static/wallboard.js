// <cti-wallboard>: what a whole room reads from afar. Nobody touches it: it stays logged in while open.

import { css, html, nothing, repeat } from './vendor/lit-3.3.3.js';
import { duration, since } from './figures.js';
import { LiveElement } from './live.js';
import { shape } from './shapes.js';
import { sheet } from './sheet.js';
import { clean } from './words.js';

const STATES = [
  'available', 'ringing', 'on_call', 'wrap_up', 'break_approved', 'called_away', 'busy_elsewhere',
  'pause_unapproved', 'pbx_autopause', 'logged_out', 'unreachable', 'unknown',
];
const STAY_MS = 30 * 60_000; // far shorter than the shortest session

const look = css`
  .head { display: flex; gap: 12px; align-items: center; justify-content: space-between; min-height: 32px; }
  .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 16px 24px; margin: 12px 0; }
  .figures > div { display: flex; flex-direction: column-reverse; justify-content: flex-end; border-top: 3px solid var(--hair); padding-top: 8px; }
  .figures > .warning, .figures > .critical { border-top-color: var(--amber); }
  .figures > .critical { background: var(--raised); border-top-width: 8px; padding-top: 3px; }
  .figures dt { color: var(--soft); font-size: 15px; }
  .figures dd { font-size: 44px; line-height: 1.15; font-weight: 600; }
  .figures .below { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 15px; line-height: 22px; min-height: 22px; font-weight: 400; color: var(--soft); }
  .figures .level { color: var(--amber); font-weight: 600; }
  .figures .level:empty { display: none; }
  .reasons { display: flex; flex-wrap: wrap; gap: 0 16px; color: var(--soft); min-height: 20px; }
  h2 { font-size: 15px; font-weight: 600; margin: 20px 0 4px; }
  .states { display: flex; flex-wrap: wrap; gap: 4px 24px; margin-bottom: 8px; font-size: 18px; min-height: 27px; }
  .state { white-space: nowrap; }
  .state.ringing svg { color: var(--accent); }
  .state.available svg { color: var(--green); }
  .agents { display: grid; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 0 24px; list-style: none; }
  .agents li { display: flex; flex-wrap: wrap; gap: 0 12px; justify-content: space-between; border-top: 1px solid var(--hair); padding: 6px 0; min-height: var(--row); }
  .empty { padding: 8px 0; border-top: 1px solid var(--hair); }
  :host(:fullscreen) { overflow: auto; padding: 24px 32px; }
  :host(:fullscreen) .figures dd { font-size: 72px; }
  :host(:fullscreen) .figures dt, :host(:fullscreen) .figures .below, :host(:fullscreen) .agents { font-size: 20px; }
  :host(:fullscreen) .states { font-size: 26px; }
  @container (max-width: 600px) {
    .figures { grid-template-columns: 1fr 1fr; }
    .figures dd { font-size: 32px; }
  }
`;

export class CtiWallboard extends LiveElement {
  static styles = [sheet, look];

  constructor() {
    super();
    this.view = 'board';
    this.board = null;
    this.heardAt = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.staying = setInterval(() => this.#stay(), STAY_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.staying);
  }

  /** Let the session begin anew, so that an open wallboard is never logged out. */
  async #stay() {
    try {
      await this.channel.post('/wallboard/stay');
    } catch {
      // the next time will do
    }
  }

  heard(message) {
    if (message.type === 'board') this.board = message.board;
    if (message.now) this.heardAt = Date.parse(message.now);
  }

  async #fill() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.requestFullscreen();
    this.requestUpdate();
  }

  body() {
    const { words, board } = this;
    if (!board) return this.status();
    const age = Math.max(0, Math.floor((this.channel.now() - this.heardAt) / 1000));
    const full = document.fullscreenElement === this;
    return html`<div class="head">
        ${this.status(html`<span>${words.say('board.age', { n: age })}</span>`)}
        ${document.fullscreenEnabled
          ? html`<button @click=${() => this.#fill()}>${words.say(full ? 'wall.window' : 'wall.full')}</button>`
          : nothing}
      </div>
      ${this.#figures(board)} ${this.#agents(board.wall)}`;
  }

  #figures({ wall, today, standard }) {
    const { words } = this;
    const some = today.standard_rate !== null;
    const rate = some ? `${Math.round(today.standard_rate * 100)} %` : '–';
    const of = some
      ? words.say('board.standard_of', { within: today.within_standard, answered: today.answered })
      : words.say('board.none_yet');
    const longest = wall.longest === null ? 0 : since(wall.longest, this.moment());
    const reasons = Object.entries(today.missed_by_reason).filter(([, n]) => n);
    return html`<section aria-label=${words.say('board.today')}>
      <dl class="figures">
        ${this.#figure('waiting', words.say('wall.waiting'), wall.waiting)}
        ${this.#figure('longest_wait', words.say('wall.longest_wait'), duration(longest))}
        ${this.#figure('service_level', words.say('wall.service_level', { n: standard }), rate, of)}
        ${this.#figure('', words.say('board.answered'), today.answered)}
        ${this.#figure('', words.say('board.missed'), today.missed)}
      </dl>
      <p class="reasons">${reasons.length
        ? html`<span>${words.say('board.reasons')}</span>${reasons.map(([reason, n]) => html`<span>${words.name('reason', reason)} ${n}</span>`)}`
        : words.say('board.no_misses')}</p>
      ${this.#recordings(wall)}
    </section>`;
  }

  /** That recordings have little room, or none are collected: there is no figure to be seen. */
  #recordings({ alarms }) {
    const level = alarms.find((alarm) => alarm.key === 'recordings')?.level;
    return html`<p class="recordings" role="status">${level
      ? html`${shape('limit')} ${this.words.name('wall.level', level)} · ${this.words.say(`wall.recordings_${level}`)}`
      : nothing}</p>`;
  }

  /** A figure; an alarm is told by a word and a shape, never by colour alone. */
  #figure(key, label, value, note = '') {
    const level = this.board.wall.alarms.find((alarm) => alarm.key === key)?.level;
    return html`<div class=${level ?? nothing}>
      <dt>${label}</dt>
      <dd>${value}<span class="below"><span class="level" role=${key ? 'status' : nothing}>${level ? html`${shape('limit')} ${this.words.name('wall.level', level)}` : nothing}</span>${note}</span></dd>
    </div>`;
  }

  #agents({ states, agents }) {
    const { words } = this;
    if (!agents.length) return html`<h2>${words.say('board.agents')}</h2><p class="empty soft">${words.say('board.no_agents')}</p>`;
    const order = (agent) => STATES.indexOf(agent.state);
    const sorted = [...agents].sort((a, b) => order(a) - order(b) || a.number.localeCompare(b.number));
    return html`<section aria-label=${words.say('board.agents')}>
      <h2>${words.say('board.agents')}</h2>
      <p class="states">${STATES.filter((state) => states[state]).map((state) =>
        html`<span class="state ${state}">${shape(`agent.${state}`)} ${states[state]} ${words.name('state', state)}</span>`)}</p>
      <ul class="agents">${repeat(sorted, (agent) => agent.number, (agent) => html`<li>
        <span><bdi lang=${this.names || nothing}>${clean(agent.name)}</bdi> <span class="soft">${clean(agent.number)}</span></span>
        <span class="state ${agent.state}">${shape(`agent.${agent.state}`)} ${words.name('state', agent.state)}
          <span class="soft">${agent.since === null ? nothing : duration(since(agent.since, this.moment()))}</span></span>
      </li>`)}</ul>
    </section>`;
  }
}

customElements.define('cti-wallboard', CtiWallboard);
