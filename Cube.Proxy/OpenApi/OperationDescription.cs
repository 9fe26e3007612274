namespace Cube.Proxy.OpenApi;

/// <summary>Endpoint metadata for the OpenAPI document.</summary>
/// <param name="Id">The <c>operationId</c>.</param>
/// <param name="Text">The description.</param>
internal sealed record OperationDescription(string Id, string Text)
{
    /// <summary>The type of the JSON request body; null for none.</summary>
    public Type? Body { get; init; }

    /// <summary>Names of optional query parameters.</summary>
    public string[] Query { get; init; } = [];
}

internal static class OperationDescriptionExtensions
{
    /// <summary>Adds the metadata of an endpoint. Unlike <c>Accepts</c>, it does not change how requests are matched.</summary>
    /// <param name="status">The status code of a success.</param>
    /// <param name="response">The type of the JSON response body; null for none.</param>
    public static TBuilder Describe<TBuilder>(this TBuilder endpoint, OperationDescription description, int status = StatusCodes.Status200OK, Type? response = null)
        where TBuilder : IEndpointConventionBuilder
    {
        endpoint.WithMetadata(description, response is null ? new ProducesResponseTypeMetadata(status, typeof(void)) : new ProducesResponseTypeMetadata(status, response, ["application/json"]));
        return endpoint;
    }
}
