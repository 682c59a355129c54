// Enhancement only: every flow works without this file.
(() => {
  "use strict";
  const $ = (s, r = document) => r.querySelector(s);
  const $$ = (s, r = document) => [...r.querySelectorAll(s)];
  const dialog = $("#dialog");
  const live = $("#live");
  const say = (t) => { live.textContent = ""; requestAnimationFrame(() => { live.textContent = t; }); };
  const html = window.trustedTypes ? window.trustedTypes.createPolicy("fragment", { createHTML: (s) => s }) : { createHTML: (s) => s };
  let opener = null;

  // -- fragments
  const get = (url, init = {}) => fetch(url, { ...init, headers: { ...init.headers, "X-Fragment": "1" }, credentials: "same-origin" });
  const fill = (el, text) => { el.innerHTML = html.createHTML(text); enhance(el); };
  const busy = (el, on, label) => {
    if (!el) return;
    if (on) {
      el.dataset.was ??= el.lastChild.textContent;
      el.setAttribute("aria-busy", "true");
      if (label) { const t = $("span:not(.vh)", el) || [...el.childNodes].find((n) => n.nodeType === 3); if (t) { el._t = t; el._o = t.textContent; t.textContent = label; } }
    } else { el.removeAttribute("aria-busy"); if (el._t) { el._t.textContent = el._o; el._t = null; } }
  };

  const open = async (url, from) => {
    const slow = setTimeout(() => busy(from, true), 150);
    try {
      const r = await get(url);
      if (r.redirected || !(r.headers.get("content-type") || "").startsWith("text/html") || r.status >= 500 || r.status === 403 || r.status === 404) { location.assign(url); return; }
      fill(dialog, await r.text());
      opener = from;
      if (!dialog.open) dialog.showModal();
      focusIn();
    } catch { location.assign(url); } finally { clearTimeout(slow); busy(from, false); }
  };
  const focusIn = () => ($("[aria-invalid=true]", dialog) || $("[data-fault]", dialog) || $("[autofocus]", dialog) || $("#dlg-title", dialog))?.focus();
  // What it held is gone at once: the event of closing comes a moment later.
  const shut = () => { dialog.close(); dialog.textContent = ""; };
  dialog.addEventListener("close", () => { dialog.textContent = ""; (opener?.isConnected ? opener : $("main"))?.focus(); opener = null; });

  // A dialog is not thrown away while it holds an uncopied key or a half-filled form.
  const mayClose = () => {
    const box = $(".dlg", dialog);
    if (!box) return true;
    if (box.dataset.guard === "copy" && !box.dataset.copied && !box.dataset.warned) {
      box.dataset.warned = "1";
      $(".leave", box).hidden = false;
      $("[data-done]", box).textContent = "Close without copying";
      $("[data-copy]", box)?.focus();
      return false;
    }
    const f = $("form[data-dirty]", box);
    if (f && isDirty(f) && !confirm("Discard what you entered?")) return false;
    return true;
  };
  const leave = () => {
    const done = $("[data-done]", dialog);
    if (!mayClose()) return;
    if (done) { location.assign(done.href); return; }
    shut();
  };
  dialog.addEventListener("cancel", (e) => { e.preventDefault(); leave(); });
  dialog.addEventListener("mousedown", (e) => { if (e.target === dialog) leave(); });

  document.addEventListener("click", (e) => {
    const a = e.target.closest("a[data-dialog]");
    if (a && !e.ctrlKey && !e.metaKey && !e.shiftKey && e.button === 0) {
      e.preventDefault();
      const menu = a.closest("[popover]");
      const from = menu ? $(`[popovertarget="${menu.id}"]`) : a;
      menu?.hidePopover();
      open(a.href, from);
      return;
    }
    const theirs = e.target.closest("[data-theirs]");
    if (theirs) { clean(theirs.closest("form")); return; }
    const c = e.target.closest("[data-close]");
    if (c && dialog.contains(c)) { e.preventDefault(); leave(); }
  });

  // -- submitting
  // The server compares again, and knows where case counts.
  const confirms = (f) => f.elements.confirm.value.trim().toLowerCase() === f.dataset.confirm.toLowerCase();
  document.addEventListener("submit", async (e) => {
    const f = e.target, b = e.submitter;
    const gate = f.dataset.confirm;
    if (gate && !confirms(f)) {
      e.preventDefault();
      const i = f.elements.confirm;
      i.setAttribute("aria-invalid", "true");
      $("#confirm-error", f).hidden = false;
      i.focus();
      return;
    }
    if (f.method !== "post") return;
    if (b?.getAttribute("aria-busy") === "true") { e.preventDefault(); return; }
    if (!dialog.contains(f)) { clean(f); busy(b, true, b?.dataset.busy); return; }
    e.preventDefault();
    busy(b, true, b?.dataset.busy);
    try {
      const r = await get(f.action, { method: "POST", body: new URLSearchParams(new FormData(f, b)) });
      if (r.redirected) { clean(f); location.assign(r.url); return; }
      const t = await r.text();
      if (/^<!doctype/i.test(t)) { sorry(f, b, plain(t)); return; }
      if (r.status < 500 && (r.headers.get("content-type") || "").startsWith("text/html")) {
        // What the server never repeats stays where it was typed.
        const typed = $$("[data-keep]", f).map((i) => [i.id, i.value]);
        fill(dialog, t);
        for (const [id, value] of typed) { const i = document.getElementById(id); if (i && dialog.contains(i)) i.value = value; }
        focusIn();
        return;
      }
      throw new Error(String(r.status));
    } catch { sorry(f, b, "That didn’t reach the server. Nothing was changed. Check your connection and try again."); }
  });
  // A whole page came back: a limit, a right that is gone, a fault. What it says is said in the dialog.
  const plain = (t) => {
    const holder = document.createElement("template");
    holder.innerHTML = html.createHTML(t);
    return $$(".empty h2, .empty p", holder.content).map((n) => n.textContent.trim()).join(" ") || "That didn’t work.";
  };
  const sorry = (f, b, text) => {
    busy(b, false);
    let p = $(".net", f);
    if (!p) { p = document.createElement("p"); p.className = "error net"; p.setAttribute("role", "alert"); $(".dlg-body", f).append(p); }
    p.textContent = text;
  };
  window.addEventListener("pageshow", (e) => { if (e.persisted) $$("[aria-busy=true]").forEach((b) => busy(b, false)); });

  // A value that is shown once is not kept for going back.
  window.addEventListener("pagehide", () => $$("[data-once]").forEach((n) => { n.value = ""; n.textContent = ""; }));

  // -- unsaved changes
  const snap = new WeakMap();
  const state = (f) => new URLSearchParams(new FormData(f)).toString();
  // What came back with a fault, or beside somebody else's version, is as typed and not saved.
  const isDirty = (f) => snap.has(f) && (snap.get(f) !== state(f) || !!$("[aria-invalid=true], [data-fault]", f));
  const clean = (f) => snap.delete(f);
  window.addEventListener("beforeunload", (e) => { if ($$("form[data-dirty]").some((f) => !dialog.contains(f) && isDirty(f))) e.preventDefault(); });

  const enhance = (root) => {
    $$("[data-js-show]", root).forEach((n) => { n.hidden = false; });
    $$("form[data-dirty]", root).forEach((f) => snap.set(f, state(f)));

    $$("form[data-confirm]", root).forEach((f) => {
      const i = f.elements.confirm, b = $("[type=submit]", f);
      f.noValidate = true;
      const sync = () => { const ok = confirms(f); b.setAttribute("aria-disabled", String(!ok)); if (ok) { i.removeAttribute("aria-invalid"); $("#confirm-error", f).hidden = true; } };
      i.addEventListener("input", sync); sync();
    });

    $$("form[data-scopes]", root).forEach((f) => {
      const boxes = $$("[name=scope]", f), out = $("[data-tally]", f);
      const sync = () => { const n = boxes.filter((b) => b.checked).length; out.textContent = `${n} of ${boxes.length} scopes`; };
      f.addEventListener("change", sync); sync();
      $$("[data-preset]", f).forEach((b) => b.addEventListener("click", () => { const on = b.dataset.preset.split(" "); boxes.forEach((x) => { x.checked = on.includes(x.value); }); sync(); }));
    });

    $$("form[data-savebar]", root).forEach((f) => {
      const bar = $(".savebar", f); if (!bar) return;
      const text = $("[data-dirty-text]", bar), reset = $("[data-when-dirty]", bar);
      const sync = () => {
        const was = (i) => (i.tagName === "SELECT" ? [...i.options].find((o) => o.defaultSelected)?.value ?? i.options[0]?.value : i.defaultValue);
        const changed = $$("input, select, textarea", f).filter((i) => (i.type === "checkbox" || i.type === "radio" ? i.checked !== i.defaultChecked : i.value !== was(i)));
        $$("[data-changed]", f).forEach((i) => i.removeAttribute("data-changed"));
        changed.forEach((i) => i.setAttribute("data-changed", ""));
        bar.classList.toggle("dirty", changed.length > 0);
        reset.hidden = changed.length === 0;
        text.textContent = changed.length ? `${changed.length} unsaved change${changed.length > 1 ? "s" : ""}` : "";
      };
      f.addEventListener("change", sync);
      f.addEventListener("input", sync);
      f.addEventListener("reset", () => setTimeout(sync));
      sync();
    });

    // The next runs of what is chosen, before it is saved; and the hour as it is here.
    $$("form[data-runs]", root).forEach((f) => {
      const out = $("#next-runs"), local = $("[data-local]", f); let n = 0;
      const hour = () => {
        const at = new Date(), zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
        at.setUTCHours(Number(f.elements.hour.value), 0, 0, 0);
        local.textContent = `${at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })} in ${zone || "your time zone"} today`;
        local.hidden = zone === "UTC";
      };
      const run = async () => {
        const mine = ++n, u = new URL(f.dataset.runs, location.href);
        for (const name of ["frequency", "dayOfWeek", "dayOfMonth", "hour"]) u.searchParams.set(name, f.elements[name].value);
        const r = await get(u); if (!r.ok || mine !== n) return;
        const holder = document.createElement("template"); holder.innerHTML = html.createHTML(await r.text());
        const fresh = $(".runs", holder.content); if (fresh) out.replaceChildren(fresh);
      };
      const changed = (e) => { if (!e.target.name || /^(frequency|dayOf|hour)/.test(e.target.name)) { hour(); run(); } };
      f.addEventListener("change", changed);
      f.addEventListener("reset", () => setTimeout(() => { hour(); run(); }));
      hour();
    });

    $$("[data-copy]", root).forEach((b) => b.addEventListener("click", async () => {
      const src = $(b.dataset.copy, root);
      try { await navigator.clipboard.writeText(src.value ?? src.textContent); } catch { src.select?.(); document.execCommand("copy"); }
      const label = $("span", b);
      const was = (b.dataset.label ??= label.textContent);
      label.textContent = "Copied";
      say("Copied to the clipboard");
      const box = b.closest(".dlg");
      if (box?.dataset.guard) { box.dataset.copied = "1"; $(".leave", box).hidden = true; $("[data-done]", box).textContent = "Done"; }
      setTimeout(() => { label.textContent = was; }, 2500);
    }));
    // A name is offered in the usual spelling, never forced into it.
    $$("[data-snake]", root).forEach((i) => {
      const b = $("[data-offer]", i.parentElement);
      const usual = () => i.value.trim().replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/[^A-Za-z0-9]+/g, "_").replace(/^_+|_+$/g, "").replace(/^(?=[0-9])/, "_").toUpperCase();
      const sync = () => { const t = usual(); b.hidden = !t || t === i.value; $("span", b).textContent = t; };
      i.addEventListener("input", sync); sync();
      b.addEventListener("click", () => { i.value = usual(); i.dispatchEvent(new Event("input", { bubbles: true })); i.focus(); });
    });
    $$("[data-file]", root).forEach((i) => i.addEventListener("change", async () => {
      const box = $(i.dataset.file, root), file = i.files[0];
      if (file) { box.value = await file.text(); box.focus(); say(`${file.name} was read`); }
    }));
    $$("[data-select]", root).forEach((i) => i.addEventListener("focus", () => i.select()));

    // Filters apply while typing; the URL follows, so that Back and sharing work.
    $$("form[data-live]", root).forEach((f) => {
      const target = f.dataset.live; let t, n = 0;
      const run = async () => {
        const mine = ++n;
        const u = new URL(f.action); for (const [k, v] of new FormData(f)) if (v) u.searchParams.set(k, v);
        const r = await fetch(u, { credentials: "same-origin" }); if (!r.ok || mine !== n) return;
        const holder = document.createElement("template"); holder.innerHTML = html.createHTML(await r.text());
        const fresh = holder.content.querySelector(target); if (!fresh) return;
        $(target).replaceWith(fresh); enhance(fresh);
        history.replaceState(null, "", u);
        const rows = fresh.querySelectorAll("tbody tr").length;
        say(rows === 1 ? `1 ${fresh.dataset.one}` : `${rows} ${fresh.dataset.many}`);
      };
      f.addEventListener("input", () => { clearTimeout(t); t = setTimeout(run, 180); });
      f.addEventListener("submit", (e) => { e.preventDefault(); run(); });
    });

    $$("[data-focus]", root).forEach((n) => n.focus());
  };
  enhance(document);
  (!dialog.open && ($("main [aria-invalid=true]") || $("main [data-fault]")))?.focus();

  // -- find a setting
  const find = $("[data-find]");
  if (find) {
    const items = $$("[data-nav-item]");
    find.addEventListener("input", () => {
      const q = find.value.trim().toLowerCase();
      items.forEach((li) => { li.hidden = q !== "" && !`${li.textContent} ${li.dataset.words}`.toLowerCase().includes(q); });
      $$("[data-nav-group]").forEach((g) => { g.hidden = !$$("[data-nav-item]", g).some((li) => !li.hidden); });
      $(".nav-none").hidden = items.some((li) => !li.hidden);
    });
    find.form.addEventListener("submit", (e) => { const hit = items.find((li) => !li.hidden); if (find.value && hit) { e.preventDefault(); location.assign($("a", hit).href); } });
    find.addEventListener("keydown", (e) => { if (e.key === "Escape" && find.value) { find.value = ""; find.dispatchEvent(new Event("input")); e.stopPropagation(); } });
    document.addEventListener("keydown", (e) => { if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k") { e.preventDefault(); const nav = $("#nav"); if (getComputedStyle(nav).display === "none") nav.showPopover(); find.focus(); find.select(); } });
  }
})();
