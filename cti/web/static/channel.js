// The live channel as a screen sees it: stays connected, resumes, knows the server's time.
//
//   state: connecting -> live -> reconnecting | offline -> live ...
//          or an end: ended (log in again), forbidden, reload (newer version), stopped (our fault)
//
// Events: `state`, and `message` with what the server sent, in order, none twice.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const SILENCE_MS = 45_000; // the server speaks at least every 20 s
const STEADY_MS = 5_000; // a connection that lasted this long was a good one
const SAMPLES = 8;

const ENDS = { 4400: 'stopped', 4403: 'forbidden', 4426: 'reload' };
const AT_ONCE = new Set([4401, 4408, 4410, 4413]); // anew by a new ticket, which says whether we may

export class Channel extends EventTarget {
  #view;
  #socket = null;
  #timer = null;
  #failures = 0;
  #since = null;
  #epoch = null;
  #heard = 0; // performance.now() of the last message
  #opened = 0;
  #offsets = [];
  #person = null;
  #attempt = 0;
  #running = false;

  /** `view` is agent or board; `csrf` the token of our page, renewed from the server if it is old. */
  constructor({ view, csrf = '' }) {
    super();
    this.#view = view;
    this.csrf = csrf;
    this.state = 'connecting';
  }

  start() {
    if (this.#running) return;
    this.#running = true;
    addEventListener('online', this.#online);
    addEventListener('offline', this.#offline);
    document.addEventListener('visibilitychange', this.#look);
    this.#connect();
  }

  stop() {
    this.#running = false;
    removeEventListener('online', this.#online);
    removeEventListener('offline', this.#offline);
    document.removeEventListener('visibilitychange', this.#look);
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** The server's time now in ms, from its own messages: the computer's clock may be wrong. */
  now() {
    return performance.now() + (this.#offsets.length ? Math.max(...this.#offsets) : Date.now() - performance.now());
  }

  /** POST to the server as this page may; renews an old token once. */
  async post(path, body) {
    const send = () =>
      fetch(path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-CSRF': this.csrf },
        body: JSON.stringify(body ?? {}),
        cache: 'no-store',
        signal: AbortSignal.timeout(10_000),
      });
    const answer = await send();
    if (answer.status !== 403 || (await answer.clone().json()).code !== 'csrf') return answer;
    if (!(await this.#renew())) return answer;
    return send();
  }

  #online = () => {
    if (!this.#socket) this.#connect();
  };

  #offline = () => {
    this.#drop();
    this.#lost();
  };

  // A tab that slept may hold a dead socket.
  #look = () => {
    if (document.visibilityState === 'visible' && this.#socket && this.#silent()) this.#offline();
  };

  #silent() {
    return performance.now() - this.#heard > SILENCE_MS;
  }

  async #renew() {
    const answer = await fetch('/api/v1/me', { cache: 'no-store', signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) return false;
    const me = await answer.json();
    this.csrf = me.csrf;
    if (this.#person !== null && this.#person !== me.number) this.#forget(); // somebody else logged in here
    this.#person = me.number;
    return true;
  }

  #forget() {
    this.#since = this.#epoch = null;
    this.dispatchEvent(new CustomEvent('message', { detail: { type: 'forget' } }));
  }

  async #connect() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const attempt = this.#drop();
    try {
      const answer = await this.post('/api/v1/rt-ticket');
      if (!this.#running || attempt !== this.#attempt) return;
      if (answer.status === 401) return this.#end('ended');
      if (!answer.ok) return this.#lost();
      this.#open((await answer.json()).ticket);
    } catch {
      if (this.#running && attempt === this.#attempt) this.#lost();
    }
  }

  #open(ticket) {
    const url = new URL('/api/v1/live', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, ['cti.v1', `ticket.${ticket}`]);
    this.#socket = socket;
    this.#heard = performance.now();
    this.#opened = 0;
    this.#offsets = [];
    socket.onopen = () =>
      socket.send(JSON.stringify({ type: 'hello', since: this.#since, epoch: this.#epoch, view: this.#view }));
    socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    socket.onclose = (event) => {
      this.#drop();
      this.#closed(event.code);
    };
    this.#watch();
  }

  #watch() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#silent() ? this.#offline() : this.#watch()), SILENCE_MS / 4);
  }

  #hear(message) {
    this.#heard = performance.now();
    this.#opened ||= this.#heard;
    // The least delayed message tells the time best.
    this.#offsets = [...this.#offsets, Date.parse(message.now) - this.#heard].slice(-SAMPLES);
    if (message.type === 'snapshot') {
      this.#epoch = message.epoch;
      this.#since = message.seq;
      this.#person = message.person.number;
    } else if (message.type === 'card') {
      if (message.seq !== null) { // without a number: not stored yet, it comes again
        if (message.seq <= this.#since) return;
        this.#since = message.seq;
      }
    }
    this.dispatchEvent(new CustomEvent('message', { detail: message }));
    if (message.type !== 'reset') this.#become('live');
  }

  #closed(code) {
    if (ENDS[code]) return this.#end(ENDS[code]);
    if (AT_ONCE.has(code) && this.#failures === 0) {
      this.#failures = 1;
      return this.#connect();
    }
    return this.#lost();
  }

  /** Forget the socket without a word; give the number of the attempt that begins now. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
      if (this.#opened) {
        const steady = performance.now() - this.#opened > STEADY_MS;
        this.#failures = steady ? 0 : Math.min(this.#failures, 1);
      }
    }
    this.#attempt += 1;
    return this.#attempt;
  }

  #lost() {
    if (!this.#running) return;
    this.#become(navigator.onLine ? (this.state === 'connecting' ? 'connecting' : 'reconnecting') : 'offline');
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#failures);
    this.#failures += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
  }

  #end(state) {
    this.#become(state);
    this.stop();
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent('state'));
  }
}
