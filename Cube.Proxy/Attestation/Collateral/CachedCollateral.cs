using Cube.Attestation.Appraisal;

namespace Cube.Proxy.Attestation.Collateral;

/// <summary>A document in the memory of the proxy.</summary>
internal sealed record CachedCollateral(CollateralDocument Document)
{
    private static readonly TimeSpan _refreshInterval = TimeSpan.FromDays(1);

    /// <summary>Validity of a document that states no end.</summary>
    private static readonly TimeSpan _defaultValidity = TimeSpan.FromDays(7);

    /// <summary>Fetches the document again; null if no request has needed it since the proxy started.</summary>
    public Func<CancellationToken, Task<byte[]>>? Fetch { get; set; }

    public DateTimeOffset ExpiresAt => Document.NextUpdate ?? Document.FetchedAt + _defaultValidity;

    public bool IsValid(DateTimeOffset now) => now < ExpiresAt;

    /// <summary>True after one day, or after half of the document's validity if that is shorter. Documents that never change are never due.</summary>
    public bool IsDueForRefresh(DateTimeOffset now) => !CollateralName.IsFinal(Document.Name)
        && (now >= Document.FetchedAt + _refreshInterval || (Document.NextUpdate is { } end && now >= Document.FetchedAt + ((end - Document.FetchedAt) / 2)));
}
