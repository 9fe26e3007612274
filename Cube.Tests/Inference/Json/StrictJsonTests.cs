using System.Text;
using Cube.Inference.Errors;
using Cube.Inference.Json;

namespace Cube.Tests.Inference.Json;

public sealed class StrictJsonTests
{
    [Fact]
    public void A_body_with_more_values_than_the_limit_is_answered_with_413()
    {
        var body = Encoding.UTF8.GetBytes("""{"a":[1,2,3]}""");
        StrictJson.Parse(body, maxTokens: 8, reserve: null).Dispose();
        Assert.Equal((413, "request_too_large"), Assert.Throws<RequestRejectedException>(() => StrictJson.Parse(body, maxTokens: 7, reserve: null)) is { Error: var error } ? (error.Status, error.Code) : default);
    }
}
