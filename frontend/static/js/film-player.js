// <film-player film>: a film that plays when it is told to, never by itself; stopped, it shows its last frame.
class FilmPlayer extends HTMLElement {
  connectedCallback() {
    if (this.button) return;
    this.image = this.querySelector("img");
    this.poster = this.image.src;
    const link = this.querySelector("a");
    // With a script the link is the button: the picture itself is pressed.
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "film-button";
    this.mark = Object.assign(document.createElement("span"), { className: "film-mark" });
    link.replaceWith(this.button);
    this.button.append(this.image, this.mark);
    this.button.addEventListener("click", () => this.toggle());
    this.say(false);
  }

  say(playing) {
    this.playing = playing;
    this.mark.textContent = playing ? "Stop" : "Play";
    this.button.setAttribute("aria-pressed", String(playing));
  }

  toggle() {
    // An animated picture starts where it is put in anew, so the address differs each time.
    const film = this.getAttribute("film");
    this.image.src = this.playing ? this.poster : `${film}#${Date.now()}`;
    this.say(!this.playing);
  }
}

customElements.define("film-player", FilmPlayer);
