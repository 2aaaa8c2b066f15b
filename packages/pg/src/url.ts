/**
 * The connection URL with the password in it, for pg alone: what pg finds in a URL, an absent
 * password included, beats what stands beside the URL. Never to be logged.
 */
export function urlWithPassword(url: string, password: string): string {
  const parsed = new URL(url)
  parsed.password = encodeURIComponent(password)
  return parsed.href
}
