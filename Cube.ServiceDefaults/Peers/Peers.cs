using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.ServiceDiscovery;

namespace Cube.ServiceDefaults.Peers;

/// <summary>
/// Addresses of the other services, from <c>services:{peer}:{scheme}:{n}</c>. Several addresses of a peer take turns.
/// </summary>
public sealed class Peers(ServiceEndpointResolver resolver)
{
    private int _turn;

    /// <returns>A base address without a trailing slash, as <c>https://127.0.0.1:7001</c>.</returns>
    public async ValueTask<string> AddressAsync(string service, CancellationToken ct)
    {
        var source = await resolver.GetEndpointsAsync(service, ct);
        var endpoints = source.Endpoints;
        if (endpoints.Count == 0)
        {
            throw new InvalidOperationException($"No address is known for {service}.");
        }

        var endpoint = endpoints[(int)((uint)Interlocked.Increment(ref _turn) % (uint)endpoints.Count)].ToString()!;
        return endpoint.Contains("://", StringComparison.Ordinal)
            ? endpoint.TrimEnd('/')
            : throw new InvalidOperationException($"The address of {service} has no scheme.");
    }

    /// <summary>The same, where the addresses are known already.</summary>
    public string? TryAddress(string service)
    {
        var pending = AddressAsync(service, CancellationToken.None);
        return pending.IsCompletedSuccessfully ? pending.Result : null;
    }

    /// <summary>All addresses of a peer.</summary>
    public async ValueTask<IReadOnlyList<string>> AddressesAsync(string service, CancellationToken ct) =>
        [.. (await resolver.GetEndpointsAsync(service, ct)).Endpoints.Select(static endpoint => endpoint.ToString()!.TrimEnd('/'))];

    /// <summary>Stops the start where no address of a peer is configured: nothing is guessed.</summary>
    /// <exception cref="SettingException">There is none.</exception>
    public static void Require(IConfiguration configuration, string peer, params ReadOnlySpan<string> schemes)
    {
        foreach (var scheme in schemes)
        {
            if (!string.IsNullOrEmpty(configuration[$"services:{peer}:{scheme}:0"]))
            {
                return;
            }
        }

        throw new SettingException($"No address of the service {peer} is configured: set services__{peer}__{schemes[0]}__0.");
    }
}
