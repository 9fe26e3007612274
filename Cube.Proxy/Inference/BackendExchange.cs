using Cube.Inference;
using Cube.Inference.Translation;
using Cube.Proxy.Authorization;
using Cube.Proxy.Configuration;

namespace Cube.Proxy.Inference;

/// <summary>A translated request to a model server.</summary>
/// <param name="Endpoint">The endpoint that the client called.</param>
/// <param name="Member">The caller and its domain.</param>
/// <param name="Route">The route of the request.</param>
/// <param name="Path">The path at the model server, before the rewriting of the route.</param>
/// <param name="Body">The translated body.</param>
/// <param name="Type">The content type of the body.</param>
/// <param name="Client">The properties of the client's request that the response depends on.</param>
/// <param name="Model">The id of the model at the model server.</param>
/// <param name="Preflight">The requests that are sent first.</param>
internal sealed record BackendExchange(
    ForwardedEndpoint Endpoint, DomainMember Member, Route Route, string Path, ReadOnlyMemory<byte> Body, string Type, ClientRequest Client, string Model, IReadOnlyList<PreflightQuestion> Preflight);
