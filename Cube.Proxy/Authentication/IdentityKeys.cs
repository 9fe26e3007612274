using Cube.ServiceDefaults.Errors;
using Microsoft.IdentityModel.Tokens;

namespace Cube.Proxy.Authentication;

/// <summary>
/// Identity's public keys. They are fetched again when they are five minutes old and when a token names one that is not among them,
/// but then not more than once in five seconds, whatever kids strangers think of. Keys that could not be renewed for an hour are not trusted.
/// </summary>
internal sealed class IdentityKeys(IHttpClientFactory clients, TimeProvider time) : IDisposable
{
    public const string ClientName = "identity";

    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Trusted = TimeSpan.FromHours(1);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _fetching = new(1, 1);
    private volatile Snapshot _snapshot = new([], DateTimeOffset.MinValue);
    private DateTimeOffset _triedAt = DateTimeOffset.MinValue;

    /// <exception cref="UnavailableException">There are no keys to be trusted now.</exception>
    public async ValueTask<SecurityKey[]> GetAsync(string? kid, CancellationToken ct)
    {
        if (!Suffices(kid))
        {
            await _fetching.WaitAsync(ct);
            try
            {
                if (!Suffices(kid) && time.GetUtcNow() - _triedAt >= (_snapshot.Keys.Length == 0 ? TimeSpan.Zero : Pause))
                {
                    _triedAt = time.GetUtcNow();
                    await FetchAsync(ct);
                }
            }
            finally
            {
                _fetching.Release();
            }
        }

        var snapshot = _snapshot;
        return time.GetUtcNow() - snapshot.FetchedAt < Trusted ? snapshot.Keys : throw new UnavailableException("The token keys of Identity");
    }

    private bool Suffices(string? kid)
    {
        var snapshot = _snapshot;
        return time.GetUtcNow() - snapshot.FetchedAt < Fresh && (kid is null || snapshot.Keys.Any(key => key.KeyId == kid));
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
