using Cube.ServiceDefaults.Errors;
using Microsoft.IdentityModel.Tokens;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Identity's public keys. They are fetched again after five minutes, and when a token has an unknown <c>kid</c>. The proxy fetches them at most once in five seconds, so that unknown kids cannot overload Identity. Keys
/// that could not be fetched again for an hour are not trusted.
/// </summary>
internal sealed class IdentityKeys(IHttpClientFactory clients, TimeProvider time) : IDisposable
{
    public const string ClientName = "identity";

    private static readonly TimeSpan RefreshInterval = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan MaxAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan MinFetchInterval = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _fetching = new(1, 1);
    private volatile Snapshot _snapshot = new([], DateTimeOffset.MinValue);
    private DateTimeOffset _attemptedAt = DateTimeOffset.MinValue;

    /// <param name="kid">The key id of the token; null for any key.</param>
    /// <param name="ct">Cancels the wait.</param>
    /// <exception cref="UnavailableException">There are no trusted keys.</exception>
    public async ValueTask<SecurityKey[]> GetAsync(string? kid, CancellationToken ct)
    {
        if (!IsCurrent(kid))
        {
            await _fetching.WaitAsync(ct);
            try
            {
                if (!IsCurrent(kid) && time.GetUtcNow() - _attemptedAt >= (_snapshot.Keys.Length == 0 ? TimeSpan.Zero : MinFetchInterval))
                {
                    _attemptedAt = time.GetUtcNow();
                    await FetchAsync(ct);
                }
            }
            finally
            {
                _fetching.Release();
            }
        }

        var snapshot = _snapshot;
        return time.GetUtcNow() - snapshot.FetchedAt < MaxAge ? snapshot.Keys : throw new UnavailableException("The token keys of Identity");
    }

    private bool IsCurrent(string? kid)
    {
        var snapshot = _snapshot;
        return time.GetUtcNow() - snapshot.FetchedAt < RefreshInterval && (kid is null || snapshot.Keys.Any(key => key.KeyId == kid));
    }

    private async Task FetchAsync(CancellationToken ct)
    {
        try
        {
            var json = await clients.CreateClient(ClientName).GetStringAsync("keys/.well-known/jwks.json", ct);
            var keys = JsonWebKeySet.Create(json).Keys.Where(static key => key is { Kty: "EC", Crv: "P-256", Kid.Length: > 0, HasPrivateKey: false });
            _snapshot = new Snapshot([.. keys], time.GetUtcNow());
        }
        catch (Exception exception) when (exception is HttpRequestException or ArgumentException
            || (exception is TaskCanceledException && !ct.IsCancellationRequested))
        {
            if (_snapshot.Keys.Length == 0)
            {
                throw new UnavailableException("Identity", exception);
            }
        }
    }

    public void Dispose() => _fetching.Dispose();

    private sealed record Snapshot(SecurityKey[] Keys, DateTimeOffset FetchedAt);
}
