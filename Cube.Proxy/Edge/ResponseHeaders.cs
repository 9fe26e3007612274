namespace Cube.Proxy.Edge;

/// <summary>The names of headers that Cube adds to responses.</summary>
internal static class ResponseHeaders
{
    /// <summary>Cube's id of the request.</summary>
    public const string RequestId = "x-request-id";

    /// <summary>The attestation of the machine: <c>simulated</c>, <c>refused</c>, or the type of its evidence.</summary>
    public const string Attestation = "x-cube-attestation";

    /// <summary>The members of the request that the endpoint does not know. They are not forwarded.</summary>
    public const string Ignored = "x-cube-ignored";
}
