using Cube.Tests.Systems;

namespace Cube.Tests.Functional.EndToEnd;

/// <summary>The official npm SDK, unmodified.</summary>
[Collection(GuideCollectionDefinition.Name)]
public sealed class NodeSdkTests(GuideSystem system)
{
    [Theory]
    [InlineData(Sdk.OpenAi6)]
    [InlineData(Sdk.OpenAi7)]
    [Trait("Conformance", "ST-05"), Trait("Conformance", "SD-04"), Trait("Conformance", "HP-15"), Trait("Conformance", "ER-12")]
    public async Task The_npm_SDK_works_and_reports_errors_with_its_own_classes(Sdk sdk)
    {
        var cube = system.Cube;
        var (mine, foreign) = (await cube.CreateTenantAsync(), await cube.CreateTenantAsync());
        var seen = await NodeScripts.RunAsync("chat.mjs", sdk,
            new("CUBE_BASE_URL", new Uri(cube.Proxy, mine.Api).AbsoluteUri), new("CUBE_TOKEN", mine.Token), new("CUBE_MODEL", "cube-guide"),
            new("CUBE_FOREIGN_URL", new Uri(cube.Proxy, foreign.Api).AbsoluteUri));
        Assert.Equal(sdk == Sdk.OpenAi7, seen.GetProperty("node").GetString()!.StartsWith("22.", StringComparison.Ordinal));

        Assert.Equal("cube-guide", seen.GetProperty("models")[0].GetString());
        var whole = seen.GetProperty("whole");
        Assert.Contains("cube-guide", whole.GetProperty("content").GetString(), StringComparison.Ordinal);
        Assert.Equal("stop", whole.GetProperty("finish").GetString());
        Assert.StartsWith("req_", whole.GetProperty("requestID").GetString(), StringComparison.Ordinal);
        var streamed = seen.GetProperty("streamed");
        Assert.Equal(whole.GetProperty("content").GetString(), streamed.GetProperty("content").GetString());
        Assert.Equal(whole.GetProperty("usage").GetRawText(), streamed.GetProperty("usage").GetRawText());
        Assert.Equal(whole.GetProperty("usage").GetProperty("completion_tokens").GetInt32() + 3, streamed.GetProperty("chunks").GetInt32());
        Assert.Equal(whole.GetProperty("content").GetString(), seen.GetProperty("helper").GetString());
        Assert.Equal("length", seen.GetProperty("text").GetProperty("finish").GetString());

        var (response, stream) = (seen.GetProperty("response"), seen.GetProperty("responseStream"));
        Assert.Equal(("completed", whole.GetProperty("content").GetString()), (response.GetProperty("status").GetString(), response.GetProperty("text").GetString()));
        Assert.Equal(("response.created", "response.completed"), (stream.GetProperty("first").GetString(), stream.GetProperty("last").GetString()));
        Assert.Equal((response.GetProperty("text").GetString(), response.GetProperty("text").GetString()), (stream.GetProperty("text").GetString(), stream.GetProperty("helper").GetString()));
        Assert.Equal(response.GetProperty("usage").GetRawText(), stream.GetProperty("usage").GetRawText());
        Assert.All(seen.GetProperty("tried").EnumerateObject(), static tried => Assert.True(tried.Value.GetProperty("attempts").GetInt32() == 1, tried.ToString()));

        AssertFailure("stored", "BadRequestError", 400, "unsupported_parameter");
        AssertFailure("noToken", "AuthenticationError", 401, "invalid_api_key");
        AssertFailure("foreign", "PermissionDeniedError", 403, "permission_denied");
        AssertFailure("unknownModel", "NotFoundError", 404, "model_not_found");
        AssertFailure("noMessages", "BadRequestError", 400, "missing_required_parameter");
        AssertFailure("unknownPath", "NotFoundError", 404, "unknown_url");

        void AssertFailure(string name, string type, int status, string code)
        {
            var failure = seen.GetProperty(name);
            Assert.Equal(type, failure.GetProperty("name").GetString());
            Assert.Equal(status, failure.GetProperty("status").GetInt32());
            Assert.Equal(code, failure.GetProperty("code").GetString());
            Assert.StartsWith("req_", failure.GetProperty("requestID").GetString(), StringComparison.Ordinal);
        }
    }
}
