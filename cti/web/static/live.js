// What both elements are: connected, in one language, showing how true they are.

import { LitElement, html, nothing } from './vendor/lit-3.3.3.js';
import { Channel } from './channel.js';
import { Times } from './figures.js';
import { shape } from './shapes.js';
import { isolated, load } from './words.js';

const TICK_MS = 250;

/** An element on the live channel. Its kind gives `view`, `heard(message)` and `body()`. */
export class LiveElement extends LitElement {
  static properties = {
    lang: { type: String, reflect: true },
    zone: { type: String },
    names: { type: String },
    csrf: { attribute: false },
    words: { state: true },
    links: { state: true },
  };

  constructor() {
    super();
    this.zone = 'UTC';
    this.names = '';
    this.csrf = '';
    this.words = null;
    this.links = [];
    this.channel = null;
    this.lostAt = null; // server time of the last moment when what is shown was true
    this.ready = false;
  }

  connectedCallback() {
    super.connectedCallback();
    this.lang ||= document.documentElement.lang;
    const csrf = this.csrf || document.querySelector('meta[name=csrf]')?.content;
    this.channel = new Channel({ view: this.view, csrf });
    this.channel.addEventListener('message', (event) => this.#hear(event.detail));
    this.channel.addEventListener('state', () => this.#turn());
    this.channel.start();
    this.ticking = setInterval(() => this.ready && this.tick(), TICK_MS);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.ticking);
    this.channel.stop();
  }

  willUpdate(changed) {
    if (changed.has('lang') || changed.has('zone')) this.times = new Times(this.lang, this.zone);
    if (changed.has('lang')) this.#speak();
  }

  async #speak() {
    try {
      this.words = await load(this.lang);
    } catch {
      setTimeout(() => this.isConnected && this.#speak(), 2000);
    }
  }

  /** The moment that is shown: now, or when the connection was lost. What is not known does not tick. */
  moment() {
    return this.lostAt ?? this.channel.now();
  }

  tick() {
    this.requestUpdate();
  }

  #hear(message) {
    if (message.links) this.links = message.links;
    if (message.board) this.links = message.board.links;
    if (['snapshot', 'board'].includes(message.type)) this.ready = true;
    this.heard(message);
    this.requestUpdate();
  }

  #turn() {
    if (this.channel.state === 'live') this.lostAt = null;
    else if (this.ready) this.lostAt ??= this.channel.now();
    this.requestUpdate();
  }

  /** live, or what is wrong: the channel's state, or `stale` where a PBX is not heard. */
  state() {
    if (this.channel.state !== 'live') return this.channel.state;
    return this.links.some((link) => !link.up) ? 'stale' : 'live';
  }

  /** Do something about the recording of a call; give why it was not done, or null. */
  async does(call, deed) {
    try {
      const answer = await this.channel.post(`/api/v1/calls/${encodeURIComponent(call)}/recording`, { do: deed });
      return answer.ok ? null : (await answer.json()).message;
    } catch {
      return this.words.say('link.short.reconnecting');
    }
  }

  status(extra = nothing) {
    const state = this.state();
    const trouble = !['live', 'connecting'].includes(state);
    return html`<div class="status ${trouble ? 'trouble' : ''}">
      <span class="word ${state}">${shape(`link.${state}`)} ${this.words.say(`link.short.${state}`)}</span>
      <span role="status">${trouble ? this.#sentence(state) : nothing}</span>
      ${trouble ? nothing : extra}
    </div>`;
  }

  #sentence(state) {
    const at = this.lostAt === null ? '' : this.times.time.format(this.lostAt);
    if (state === 'stale') {
      const link = this.links.find((one) => !one.up);
      const facts = { pbx: isolated(link.pbx), at: link.since && this.times.time.format(Date.parse(link.since)) };
      return this.words.say(link.since ? 'link.stale' : 'link.stale_unknown', facts);
    }
    if (state === 'ended') return html`${this.words.say('link.ended')} <a href="/login?next=${location.pathname}">${this.words.say('link.login')}</a>`;
    if (state === 'reload') return html`${this.words.say('link.reload')} <a href=${location.pathname}>${this.words.say('link.reload_now')}</a>`;
    return this.words.say(`link.${state}`, { at });
  }

  render() {
    // Until the first state has come, what the page itself says stays in sight.
    if (!this.words || (!this.ready && this.channel.state === 'connecting')) return html`<slot></slot>`;
    return html`<div lang=${this.words.locale}>${this.body()}</div>`;
  }
}
