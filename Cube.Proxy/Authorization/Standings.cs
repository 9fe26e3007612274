using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Cube.Proxy.Authentication;
using Cube.ServiceDefaults.Errors;
using Microsoft.Extensions.Caching.Hybrid;

namespace Cube.Proxy.Authorization;

/// <summary>
/// Whether a caller belongs to a domain. Identity is asked with the caller's own token, which also tells whether his session and
/// his account still live. An answer is kept for four seconds, one question at a time is under way for each; no answer is no permission.
/// </summary>
internal sealed class Memberships(HybridCache cache, IHttpClientFactory clients)
{
    private static readonly HybridCacheEntryOptions Age = new()
    {
        Expiration = TimeSpan.FromSeconds(4),
        LocalCacheExpiration = TimeSpan.FromSeconds(4),
        Flags = HybridCacheEntryFlags.DisableDistributedCache,
    };

    /// <exception cref="UnavailableException">Identity does not answer.</exception>
    public async ValueTask<Membership> FindAsync(Caller caller, Guid domain, CancellationToken ct)
    {
        var answer = await cache.GetOrCreateAsync(
            $"{caller.SessionId:N}/{domain:N}",
            (this, caller, domain, Activity.Current),
            static async (state, token) =>
            {
                // The cache asks outside of the request; the question still belongs to the trace of who asked first.
                Activity.Current = state.Current;
                return new Answer(await state.Item1.AskAsync(state.caller, state.domain, token));
            },
            Age,
            cancellationToken: ct);
        return answer.Membership;
    }

    private async Task<Membership> AskAsync(Caller caller, Guid domain, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"domains/{domain}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", caller.Token);
        try
        {
            using var response = await clients.CreateClient(IdentityKeys.ClientName).SendAsync(request, ct);
            return response.StatusCode switch
            {
                HttpStatusCode.OK => await ReadAsync(response.Content, caller, ct),
                HttpStatusCode.Unauthorized => Membership.Revoked,
                HttpStatusCode.Forbidden or HttpStatusCode.NotFound => Membership.None,
                _ => throw new UnavailableException("Identity"),
            };
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException
            || (exception is TaskCanceledException && !ct.IsCancellationRequested))
        {
            throw new UnavailableException("Identity", exception);
        }
    }

    private static async Task<Membership> ReadAsync(HttpContent content, Caller caller, CancellationToken ct)
    {
        using var domain = await JsonDocument.ParseAsync(await content.ReadAsStreamAsync(ct), cancellationToken: ct);
        var root = domain.RootElement;
        var isMember = root.TryGetProperty("member_id", out var id) && id.ValueEquals(caller.UserId.ToString());
        var isEnabled = root.TryGetProperty("status", out var status) && status.ValueEquals("enabled");
        return (isMember, isEnabled) switch
        {
            (true, true) => Membership.Member,
            (true, false) => Membership.DomainDisabled,
            // An administrator of the platform may see a domain; that does not make him a member.
            _ => Membership.None,
        };
    }

    [ImmutableObject(true)]
    private sealed record Answer(Membership Membership);
}

internal enum Membership
{
    /// <summary>A foreign domain, or one that does not exist: nobody can tell which.</summary>
    None,
    Member,
    DomainDisabled,

    /// <summary>The token is good by itself, but its session was ended or its user disabled.</summary>
    Revoked,
}
