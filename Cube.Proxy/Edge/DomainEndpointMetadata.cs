using Cube.Inference;

namespace Cube.Proxy.Edge;

/// <summary>Marks an endpoint below a domain.</summary>
/// <param name="Name">In metrics, traces, logs and as <c>operationId</c>.</param>
/// <param name="Path">Below the domain; <c>{model}</c> at its end is a model's id.</param>
/// <param name="Body">What the client sends.</param>
internal sealed record DomainEndpointMetadata(string Name, string Path, BodyKind Body);
