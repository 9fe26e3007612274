using System.Collections.Concurrent;
using Cube.ServiceDefaults.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.ServiceDiscovery;

namespace Cube.ServiceDefaults.Networking;

/// <summary>
/// Addresses of the other services, from <c>services:{service}:{scheme}:{n}</c>. Several addresses of a service are used in turn.
/// </summary>
public sealed class ServiceAddresses(ServiceEndpointResolver resolver, IConfiguration configuration)
{
    private readonly ConcurrentDictionary<Uri, bool> _isService = new();
    private readonly ConcurrentDictionary<Uri, Known> _known = new();
    private int _turn;

    /// <returns>A base address without a trailing slash, as <c>https://127.0.0.1:7001</c>.</returns>
    public async ValueTask<string> AddressAsync(string service, CancellationToken ct)
    {
        var source = await resolver.GetEndpointsAsync(service, ct);
        var endpoints = source.Endpoints;
        if (endpoints.Count == 0)
        {
            throw new InvalidOperationException($"No address is known for the service {service}.");
        }

        var endpoint = endpoints[(int)((uint)Interlocked.Increment(ref _turn) % (uint)endpoints.Count)].ToString()!;
        return endpoint.Contains("://", StringComparison.Ordinal)
            ? endpoint.TrimEnd('/')
            : throw new InvalidOperationException($"The address of the service {service} has no scheme.");
    }

    /// <summary>The addresses of a URL: those of the service that is configured under the URL's host name, or the URL's own authority.</summary>
    public ValueTask<Uri[]> AddressesAsync(Uri url, CancellationToken ct)
    {
        if (!_isService.GetOrAdd(url, static (url, configuration) => url.IsDefaultPort && configuration.GetSection($"services:{url.Host}:{url.Scheme}").Exists(), configuration))
        {
            return new(_known.GetOrAdd(url, static url => new Known(null, [new Uri(url.GetLeftPart(UriPartial.Authority))])).Addresses);
        }

        var pending = resolver.GetEndpointsAsync($"{url.Scheme}://{url.Host}", ct);
        return pending.IsCompletedSuccessfully ? new(Of(url, pending.Result)) : WaitAsync();

        async ValueTask<Uri[]> WaitAsync() => Of(url, await pending);
    }

    /// <summary>Creates the addresses once per result of the resolver, not per request.</summary>
    private Uri[] Of(Uri url, ServiceEndpointSource source)
    {
        if (_known.TryGetValue(url, out var known) && ReferenceEquals(known.Source, source))
        {
            return known.Addresses;
        }

        Uri[] addresses = [.. source.Endpoints.Select(static endpoint => new Uri(endpoint.ToString()!.TrimEnd('/')))];
        _known[url] = new Known(source, addresses);
        return addresses;
    }

    private sealed record Known(ServiceEndpointSource? Source, Uri[] Addresses);

    /// <summary>Requires a configured address of the service. There is no default.</summary>
    /// <exception cref="SettingException">No address is configured.</exception>
    public static void Require(IConfiguration configuration, string service, params ReadOnlySpan<string> schemes)
    {
        foreach (var scheme in schemes)
        {
            if (!string.IsNullOrEmpty(configuration[$"services:{service}:{scheme}:0"]))
            {
                return;
            }
        }

        throw new SettingException($"The address of the service {service} is not configured: set services__{service}__{schemes[0]}__0.");
    }
}
