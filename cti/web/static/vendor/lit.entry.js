export * from 'lit';
export * from 'lit/directives/repeat.js';
export * from 'lit/directives/class-map.js';
export * from 'lit/directives/live.js';
export * from 'lit/directives/if-defined.js';
