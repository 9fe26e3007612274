namespace Cube.Proxy.Edge;

/// <summary>The parts of a well-formed path below a domain, read from the bytes that the client sent.</summary>
/// <param name="DomainId">The domain in the path. The membership of the caller has not been checked yet.</param>
/// <param name="Rest">The path below the domain, with its leading slash.</param>
internal sealed record DomainPathFeature(Guid DomainId, string Rest)
{
    private string? _canonical;

    /// <summary>The path with the domain's id in lower case and without <c>/proxy</c>.</summary>
    public string Canonical => _canonical ??= $"/{DomainId}{Rest}";
}
