using Cube.Inference;
using Cube.Proxy.Edge;
using Cube.Proxy.Inference.Models;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace Cube.Tests.Proxy.Edge;

public sealed class DomainPathTests
{
    private const string Id = "3f0e8c1e-6a4e-4a55-9d3f-0c7f0f9b8a11";

    [Theory]
    [InlineData($"/proxy/{Id}/v1/models", "/v1/models")]
    [InlineData($"/{Id}/v1/models", "/v1/models")]
    [InlineData($"/{Id}/v1/models?after=x", "/v1/models")]
    [InlineData($"/{Id}", "")]
    [InlineData($"/{Id}/v1/models/org%2Fmodel", "/v1/models/org%2Fmodel")]
    public void Both_path_forms_select_the_same_domain_and_endpoint(string target, string rest)
    {
        Assert.True(DomainPath.TryParse(target, out var domain, out var found));
        Assert.Equal(Guid.Parse(Id), domain);
        Assert.Equal(rest, found);
    }

    [Theory]
    [InlineData("/proxy/default/v1/models")]
    [InlineData("/proxy/3f0e8c1e6a4e4a559d3f0c7f0f9b8a11/v1/models")]
    [InlineData("/proxy/{3f0e8c1e-6a4e-4a55-9d3f-0c7f0f9b8a11}/v1/models")]
    [InlineData($"/proxy//{Id}/v1/models")]
    [InlineData($"/proxy/{Id}x/v1/models")]
    [InlineData($"/proxy/x/../{Id}/v1/models")]
    [InlineData($"/proxy/%33f0e8c1e-6a4e-4a55-9d3f-0c7f0f9b8a11/v1/models")]
    [InlineData($"http://host/proxy/{Id}/v1/models")]
    [InlineData($"/proxy/{Id}//v1/models")]
    [InlineData($"/proxy/{Id}/v1//models")]
    [InlineData($"/proxy/{Id}/v1/./models")]
    [InlineData($"/proxy/{Id}/v1/../v1/models")]
    [InlineData($"/proxy/{Id}/v1/%2e%2e/models")]
    [InlineData($"/proxy/{Id}/v1%2Fmodels")]
    [InlineData($"/proxy/{Id}/v1/%6dodels")]
    [InlineData($"/proxy/{Id}\\v1\\models")]
    [InlineData($"/proxy/{Id}/v1\\models")]
    [InlineData($"/proxy/{Id}/v1/models;a=b")]
    [InlineData($"/proxy/{Id}/v1/models/../chat/completions")]
    [Trait("Conformance", "TN-02")]
    public void Paths_with_escapes_letter_case_changes_or_dot_segments_are_rejected(string target) => Assert.False(DomainPath.TryParse(target, out _, out _));

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/v1")]
    [InlineData("/v1/models/")]
    [InlineData("/V1/models")]
    [InlineData("/v1/chat/completions/")]
    [InlineData("/x/api/chatter")]
    [InlineData("/v1/chat/completions.json")]
    [InlineData("/api/push")]
    [InlineData("/metrics")]
    [InlineData("/invocations")]
    public async Task Only_exact_paths_are_endpoints(string rest) => Assert.Equal("Unknown path", (await EndpointOfAsync(rest))?.DisplayName);

    [Theory]
    [InlineData("/v1/models")]
    [InlineData("/v1/models/llama3:8b")]
    [InlineData("/v1/models/org%2Fmodel")]
    [InlineData("/v1/models/org/model")]
    [InlineData("/v1/chat/completions?x=1")]
    public async Task Exact_paths_are_left_to_routing(string rest) => Assert.Null(await EndpointOfAsync(rest));

    [Fact]
    public void A_model_id_is_decoded_once() => Assert.Equal("org/model:tag%25", ModelLists.IdOf("/v1/models/org%2Fmodel%3Atag%2525"));

    /// <returns>The endpoint that the middleware selects before routing; null where it leaves the choice to routing.</returns>
    private static async Task<Endpoint?> EndpointOfAsync(string rest, string? method = null)
    {
        var endpoints = new DefaultEndpointDataSource(InferenceEndpoints.All.Select(static endpoint =>
            new Endpoint(null, new EndpointMetadataCollection(new DomainEndpointMetadata(endpoint.Name, endpoint.Path, BodyKind.None), new HttpMethodMetadata([endpoint.Method])), endpoint.Name)));
        var context = new DefaultHttpContext();
        context.Request.Method = method ?? InferenceEndpoints.All.FirstOrDefault(endpoint => endpoint.Path == rest.Split('?')[0])?.Method ?? "GET";
        context.Request.Path = $"/{Id}{Uri.UnescapeDataString(rest.Split('?')[0])}";
        context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget = $"/{Id}{rest}";
        await new DomainPathMiddleware(static _ => Task.CompletedTask, endpoints).InvokeAsync(context);
        return context.GetEndpoint();
    }
}
