using System.Globalization;
using Cube.Identity.Api;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Tokens;

/// <summary>Verifies the current password of an authenticated user. A wrong password counts as a failed login.</summary>
internal sealed class PasswordCheck(LoginThrottle throttle, UserPasswordHasher passwords)
{
    /// <param name="user">The user.</param>
    /// <param name="password">The password in the request.</param>
    /// <param name="member">The name of the member that contains it, for the message.</param>
    /// <param name="context">The request.</param>
    /// <param name="ct">Cancels the wait before the verification.</param>
    /// <returns>The error result, or null when the password is correct.</returns>
    public async Task<JsonHttpResult<ManagementError>?> CheckAsync(User user, string? password, string member, HttpContext context, CancellationToken ct)
    {
        using var attempt = await throttle.BeginAsync(user, user.Username, context.Connection.RemoteIpAddress, ct);
        if (await attempt.GetRetryAfterAsync(ct) is { } wait)
        {
            return TooMany(context, wait);
        }

        if (password is not { Length: <= UserRules.MaxText } || !passwords.Verify(user, password))
        {
            await attempt.RecordFailureAsync();
            return ApiResults.Invalid($"{member} is not the current password.");
        }

        await attempt.RecordSuccessAsync();
        return null;
    }

    public static JsonHttpResult<ManagementError> TooMany(HttpContext context, TimeSpan wait)
    {
        context.Response.Headers.RetryAfter = Math.Clamp((int)Math.Ceiling(wait.TotalSeconds), 1, 60).ToString(CultureInfo.InvariantCulture);
        return ApiResults.Fail(StatusCodes.Status429TooManyRequests, "too_many_attempts", "Too many wrong passwords. Wait before you try again.");
    }
}
