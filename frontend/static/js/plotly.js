// Plotly is by far the largest thing of a page, and people read the verdict first: it is asked for after
// the first painting, or the two would share a processor.
const address = document.querySelector('meta[name="plotly"]').content;

export const plotly = new Promise((resolve, reject) => {
  const fetchIt = () => {
    const script = Object.assign(document.createElement("script"), { src: address, onload: resolve });
    script.onerror = () => reject(new Error("Plotly did not come: reload the page"));
    document.head.append(script);
  };
  // The callback of a frame runs before it is painted, a timer of it after.
  requestAnimationFrame(() => setTimeout(fetchIt));
});
