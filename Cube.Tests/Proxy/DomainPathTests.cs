using Cube.Inference;
using Cube.Proxy.Edge;

namespace Cube.Tests.Proxy;

public sealed class DomainPathTests
{
    private const string Id = "3f0e8c1e-6a4e-4a55-9d3f-0c7f0f9b8a11";

    [Theory]
    [InlineData($"/proxy/{Id}/v1/models", "/v1/models")]
    [InlineData($"/{Id}/v1/models", "/v1/models")]
    [InlineData($"/{Id}/v1/models?after=x", "/v1/models")]
    [InlineData($"/{Id}", "")]
    [InlineData($"/{Id}/v1/models/org%2Fmodel", "/v1/models/org%2Fmodel")]
    public void Both_forms_of_a_path_lead_to_the_same(string target, string rest)
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
    public void Whatever_decodes_folds_or_climbs_is_refused(string target) => Assert.False(DomainPath.TryParse(target, out _, out _));

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
    public void Only_exact_paths_are_endpoints(string rest) => Assert.IsType<EndpointMatch.Nowhere>(InferenceEndpoints.Find("GET", rest));

    [Fact]
    public void A_models_id_is_decoded_once()
    {
        var found = Assert.IsType<EndpointMatch.Found>(InferenceEndpoints.Find("GET", "/v1/models/org%2Fmodel%3Atag%2525"));
        Assert.Equal((InferenceEndpoints.GetModel, "org/model:tag%25"), (found.Endpoint, found.ModelId));
    }
}
