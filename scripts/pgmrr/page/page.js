// Draws the charts, and makes the switches work. The figures are in the page already.
"use strict";
{
  const config = JSON.parse(document.getElementById("config").textContent);
  const views = new Map();

  const draw = (figure) => {
    if (views.has(figure)) return views.get(figure);
    const spec = JSON.parse(figure.querySelector("script").textContent);
    const plot = figure.querySelector(".plot");
    // A chart without switches has no parameters to set.
    const drawn = vegaEmbed(plot, spec, { actions: false, config, renderer: "svg", tooltip: { theme: "page" } })
      .then(({ view }) => {
        for (const input of figure.querySelectorAll("input:checked")) view.signal(input.dataset.switch, input.value);
        // The description of the plot is for all of it; its parts need not be read out.
        plot.querySelector("svg")?.setAttribute("aria-hidden", "true");
        plot.dataset.drawn = "true";
        return view.runAsync();
      })
      .catch((error) => {
        plot.textContent = "This chart cannot be drawn; its figures stand in the table below.";
        console.error(figure.id, error);
      });
    views.set(figure, drawn);
    return drawn;
  };

  const figures = [...document.querySelectorAll("figure")];
  const drawAll = () => Promise.all(figures.map(draw));

  // Charts are drawn as they come near, the others when the browser has nothing else to do.
  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      near.unobserve(entry.target);
      draw(entry.target);
    }),
    { rootMargin: "400px" },
  );
  figures.forEach((figure) => near.observe(figure));
  const idle = window.requestIdleCallback ?? ((work) => setTimeout(work, 200));
  const drawNext = (rest) => rest.length && idle(() => draw(rest[0]).then(() => drawNext(rest.slice(1))));
  drawNext(figures);

  // A switch sets a parameter of its chart, and shows the table that fits.
  const showTables = (figure) => {
    const chosen = [...figure.querySelectorAll("input:checked")];
    if (!chosen.length) return;
    for (const table of figure.closest("section").querySelectorAll(".table")) {
      table.hidden = chosen.some(({ dataset, value }) => table.getAttribute(`data-when-${dataset.switch}`) !== value);
    }
  };
  for (const figure of figures) {
    showTables(figure);
    figure.addEventListener("change", ({ target }) => {
      showTables(figure);
      draw(figure).then((view) => view?.signal(target.dataset.switch, target.value).runAsync());
    });
  }

  // The theme is kept where the browser lets a file keep anything.
  const kept = { get: () => { try { return localStorage.getItem("pgmrr-theme"); } catch { return null; } },
                 set: (value) => { try { localStorage.setItem("pgmrr-theme", value); } catch { /* not kept */ } } };
  const setTheme = (value) => { document.documentElement.dataset.theme = value; };
  const themes = [...document.querySelectorAll('input[name="theme"]')];
  for (const input of themes) {
    if (input.value === kept.get()) { input.checked = true; setTheme(input.value); }
    input.addEventListener("change", () => { setTheme(input.value); kept.set(input.value); });
  }

  // On paper everything is open.
  let opened = [];
  addEventListener("beforeprint", () => {
    drawAll();
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));
}
