/** What is shown to whom has no token: one field, without any script. */

export const LOGIN_STYLE_PATH = '/login.css';
/** The one file that everybody gets. */
export const LOGIN_ICON_PATH = '/icon.svg';

export const LOGIN_STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; }
form { display: grid; gap: .75rem; width: min(22rem, 90vw); }
h1 { margin: 0; font-size: 1.25rem; }
input, button { font: inherit; padding: .5rem .75rem; border-radius: .5rem; border: 1px solid #8888; }
button { background: #2f6fdb; color: #fff; border-color: transparent; cursor: pointer; }
p { margin: 0; }
`;

/** @param wrong whether a token was sent that is not the right one */
export function loginPage(wrong: boolean): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bytes2mqtt</title>
<link rel="icon" href="${LOGIN_ICON_PATH}">
<link rel="stylesheet" href="${LOGIN_STYLE_PATH}">
<form method="post" action="/login">
<h1>bytes2mqtt</h1>
<p>${wrong ? 'That is not the token.' : 'This page wants the token of the configuration (<code>http.token</code>).'}</p>
<input name="token" type="password" autocomplete="current-password" aria-label="Token" required autofocus>
<button>Open</button>
</form>
</html>
`;
}
