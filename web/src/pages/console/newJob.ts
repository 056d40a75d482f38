import { LitElement } from "lit";
customElements.define("p-new-job", class extends LitElement {});
